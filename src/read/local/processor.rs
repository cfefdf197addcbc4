//! Loops compiled for the processor that runs them, with the same results on every processor.

/// Defines a function that runs a version of its body compiled for the present processor. The result is the same on
/// any processor: no multiplication is fused with an addition, and sums keep their order.
macro_rules! for_this_processor {
    ($(#[$doc:meta])* $visible:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $out:ty)? $body:block) => {
        $(#[$doc])*
        $visible fn $name($($arg: $ty),*) $(-> $out)? {
            #[inline(always)]
            fn plain($($arg: $ty),*) $(-> $out)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,f16c,avx512f,avx512bw,avx512dq,avx512vl")]
                fn wider($($arg: $ty),*) $(-> $out)? {
                    plain($($arg),*)
                }
                #[target_feature(enable = "avx2,f16c")]
                fn wide($($arg: $ty),*) $(-> $out)? {
                    plain($($arg),*)
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("f16c") {
                    if is_x86_feature_detected!("avx512f")
                        && is_x86_feature_detected!("avx512bw")
                        && is_x86_feature_detected!("avx512dq")
                        && is_x86_feature_detected!("avx512vl")
                    {
                        // SAFETY: the processor supports the features for which the function was compiled.
                        return unsafe { wider($($arg),*) };
                    }
                    // SAFETY: as above.
                    return unsafe { wide($($arg),*) };
                }
            }
            plain($($arg),*)
        }
    };
}
pub(super) use for_this_processor;
