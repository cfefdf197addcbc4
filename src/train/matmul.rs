//! Bounds-checked products of matrices that are stored in flat slices.
//!
//! A call runs on one thread, so its result depends on the shapes of its arguments and on nothing else.

/// A view of a slice as a matrix, by rows or transposed.
#[derive(Clone, Copy)]
pub struct GemmOperand<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    /// The distance in the slice between adjacent rows, and between adjacent columns.
    strides: (usize, usize),
}

impl<'a> GemmOperand<'a> {
    /// All of `data`, row by row.
    pub fn new(data: &'a [f32], cols: usize) -> Self {
        Self::part(data, data.len() / cols, cols, cols)
    }

    /// The first `cols` numbers of rows that start every `stride` numbers.
    pub fn part(data: &'a [f32], rows: usize, cols: usize, stride: usize) -> Self {
        assert!(rows * cols == 0 || (rows - 1) * stride + cols <= data.len());
        Self { data, rows, cols, strides: (stride, 1) }
    }

    pub fn transposed(self) -> Self {
        let (row, col) = self.strides;
        Self { rows: self.cols, cols: self.rows, strides: (col, row), ..self }
    }
}

/// The output of a product: rows of `cols` numbers that start every `stride` numbers.
pub struct GemmOutput<'a> {
    pub data: &'a mut [f32],
    pub cols: usize,
    pub stride: usize,
}

impl<'a> GemmOutput<'a> {
    /// All of `data`, row by row.
    pub fn new(data: &'a mut [f32], cols: usize) -> Self {
        Self { data, cols, stride: cols }
    }
}

/// `out = scale a b`.
pub fn set(out: GemmOutput, a: GemmOperand, b: GemmOperand, scale: f32) {
    product(out, a, b, scale, false);
}

/// `out += scale a b`.
pub fn add(out: GemmOutput, a: GemmOperand, b: GemmOperand, scale: f32) {
    product(out, a, b, scale, true);
}

fn product(out: GemmOutput, a: GemmOperand, b: GemmOperand, scale: f32, add: bool) {
    assert!(a.cols == b.rows && b.cols == out.cols && out.cols <= out.stride);
    if a.rows == 0 || b.cols == 0 {
        return;
    }
    assert!((a.rows - 1) * out.stride + out.cols <= out.data.len());
    // SAFETY: `View`s stay within their slices by construction, `out` by the line above.
    unsafe {
        gemm::gemm(
            a.rows,
            b.cols,
            a.cols,
            out.data.as_mut_ptr(),
            1,
            out.stride as isize,
            add,
            a.data.as_ptr(),
            a.strides.1 as isize,
            a.strides.0 as isize,
            b.data.as_ptr(),
            b.strides.1 as isize,
            b.strides.0 as isize,
            1.0,
            scale,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
