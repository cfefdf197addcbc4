//! Language models as the readers of arms, from the scenario file to the reports: against a server on this machine that
//! answers as a simulated reader would, so that what is right is known.

mod endpoint_faults;
mod limits;
mod measured;
mod mistakes;
mod preflight;
mod recordings;
mod samples;
mod simulated_model;
mod small_desk;
mod stand_in;
mod synthetic_desk;
mod validation;
