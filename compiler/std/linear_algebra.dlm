# Linear algebra: of single matrices, in f32, by loops whose length is known: singular values by one-sided, eigenvalues of symmetric matrices by two-sided Jacobi rotations, systems by elimination.

## In round t, the column that column i is paired with, when n columns (an even number) play in n - 1 rounds, each against each.
fn opponent(i: i32, t: i32, n: int) -> i32 =
  where(i == n - 1, t, where(i == t, n - 1, (2 * t - i) % max(n - 1, 1)))
## tan of the angle that makes two columns orthogonal: d the difference of their squared norms, g their product; its sign is opposite for the two.
fn jacobi_tangent(d: f32, g: f32, is_first: bool) -> f32 {
  let s = where(d > 0 or d == 0 and is_first, 1.0, -1.0)
  let root = where(d == 0 and g == 0, 1, sqrt(where(d == 0 and g == 0, 1, d * d + 4 * g * g)))
  return s * 2 * g / (abs(d) + root)
}
## The rotations of one-sided Jacobi (Hestenes 1958) on the columns of w, which are orthogonal in their first `rows` elements after enough sweeps.
fn rotate_columns(w: f32[R, N], rows: int, sweeps: int) -> f32[R, N] {
  let n = N + N % 2
  return fold (k in 0..sweeps * (n - 1); a = w) {
    let other = for i in 0..N: opponent(i, k % max(n - 1, 1), n)
    let b = for r, i: a[r, other[i]] ?? 0
    let own_size = for i: sum over r in 0..rows: a[r, i]^2
    let other_size = for i: sum over r in 0..rows: b[r, i]^2
    let both = for i: sum over r in 0..rows: a[r, i] * b[r, i]
    let t = for i: where(other[i] < N, jacobi_tangent(other_size[i] - own_size[i], both[i], i < other[i]), 0)
    next a = for r, i: (a[r, i] - t[i] * b[r, i]) / sqrt(1 + t[i]^2)
  }
}
## Singular values in descending order. The rotations are found without gradient; one more sweep, from where the columns are orthogonal, has it, so that first and second
## derivatives are those of the singular values, where these are distinct. Few rows or columns of zeros are no trouble. Also called singular_values.
fn svdvals(x: f32[M, N], sweeps: int in 1..inf = 12) {
  let a = if M < N then transpose(x) else x
  let (rows, columns) = (max(M, N), min(M, N))
  let turned = stop(rotate_columns(concat([a, eye(columns)]), rows, sweeps))
  let v = turned[rows..rows + columns]
  return sort_descending(norm(rotate_columns(a @ v, rows, 1), axis: 0))
}
## The largest singular value: how much a matrix stretches at most. Also called matrix_norm_2.
fn spectral_norm(x: f32[M, N], sweeps: int in 1..inf = 12) -> f32 = max(svdvals(x, sweeps))
## Sum of the singular values.
fn nuclear_norm(x: f32[M, N], sweeps: int in 1..inf = 12) -> f32 = sum(svdvals(x, sweeps))
## The largest singular value over the smallest; 3.4e38 for what is singular.
fn condition_number(x: f32[M, N], sweeps: int in 1..inf = 12) -> f32 {
  let s = svdvals(x, sweeps)
  return where(s[-1] > 0, s[0] / where(s[-1] > 0, s[-1], 1), inf)
}
## Two-sided Jacobi of a symmetric matrix: it tends to a diagonal matrix, and v is multiplied by the rotations.
fn jacobi_sweeps(x: f32[N, N], v: f32[N, N], sweeps: int) -> (f32[N, N], f32[N, N]) {
  let n = N + N % 2
  return fold (k in 0..sweeps * (n - 1); a = x, u = v) {
    let other = for i in 0..N: opponent(i, k % max(n - 1, 1), n)
    # both of a pair read the same element, so that their tangents are opposite to the last bit
    let both = for i: a[min(i, other[i]), max(i, other[i])] ?? 0
    let t = for i: where(other[i] < N, jacobi_tangent((a[other[i], other[i]] ?? 0) - a[i, i], both[i], i < other[i]), 0)
    let c = for i: 1 / sqrt(1 + t[i]^2)
    let half = for i, j: c[j] * (a[i, j] - t[j] * (a[i, other[j]] ?? 0))
    next a = for i, j: c[i] * (half[i, j] - t[i] * (half[other[i], j] ?? 0))
    next u = for i, j: c[j] * (u[i, j] - t[j] * (u[i, other[j]] ?? 0))
  }
}
## Eigenvalues of a symmetric matrix (the mean of x and its transpose) in ascending order. First and second derivatives as of svdvals, where they are distinct. Also called eigh_values and eigvals_symmetric.
fn eigvalsh(x: f32[N, N], sweeps: int in 1..inf = 12) -> f32[N] {
  let (values, _) = eigh(x, sweeps)
  return values
}
## Eigenvalues of a symmetric matrix in ascending order, and its eigenvectors as the columns of a matrix; their signs are free. First and second derivatives where the eigenvalues are distinct.
fn eigh(x: f32[N, N], sweeps: int in 1..inf = 12) -> (f32[N], f32[N, N]) {
  let a = 0.5 * (x + transpose(x))
  let (_, found) = jacobi_sweeps(stop(a), eye(N), sweeps)
  let v = stop(found)
  let (d, u) = jacobi_sweeps(transpose(v) @ a @ v, v, 2)
  let values = diagonal(d)
  let order = order_ascending(values)
  return (values[order], u[:, order])
}
## The largest magnitude of the eigenvalues of any square matrix, complex ones too: norm(x^n)^(1 / n) for n = 2^rounds, by squaring.
fn spectral_radius(x: f32[N, N], rounds: int in 1..24 = 16) -> f32 {
  let size = norm(x)
  let start = where(size > 0, size, 1)
  let (_, log_size) = fold (k in 0..rounds; a = x / start, total = log(start)) {
    let b = a @ a
    let s = norm(b)
    let s1 = where(s > 0, s, 1)
    next a = b / s1, total = total + where(s > 0, log(s1), -inf) / 2.0^(k + 1)
  }
  return where(size > 0, exp(max(log_size, -100)), 0)
}

## The lower triangular L with L L^T = x, of a symmetric positive definite matrix (of which the lower half is read).
fn cholesky(x: f32[N, N]) -> f32[N, N] =
  fold (k in 0..N; l = zeros[N, N]) {
    let rest = for i: x[max(i, k), min(i, k)] - sum over j: l[i, j] * l[k, j]
    next l = for i, j: where(j == k, where(i >= k, rest[i] / sqrt(rest[k]), 0), l[i, j])
  }
## Gauss and Jordan with the largest pivot of the column: the reduced right side, the sign of the rows' exchange times those of the pivots, and the logarithm of the pivots' product.
fn eliminated(x: f32[N, N], y: f32[N, M]) -> (f32[N, M], f32, f32) {
  let (w, sign_of, log_of) = fold (k in 0..N; a = concat([x, y], axis: 1), s = 1.0, l = 0.0) {
    let at = argmax(for i in 0..N: where(i >= k, abs(stop(a)[i, k]), -1.0))
    let b = for i in 0..N, j: a[where(i == k, at, where(i == at, k, i)), j]
    let pivot = b[k, k]
    let row = for j: b[k, j] / pivot
    next a = for i, j: where(i == k, row[j], b[i, j] - b[i, k] * row[j])
    next s = where(at == k, s, -s) * sign(pivot), l = l + log(max(abs(pivot), 1e-38))
  }
  return (w[:, N..N + M], sign_of, log_of)
}
## The x of a x = b, of a regular square matrix and one or more columns b. Also called linear_solve and solve_triangular.
fn solve(a: f32[N, N], b: f32[N, ...S]) -> f32[N, ...S] {
  let (x, _, _) = eliminated(a, reshape[N, size(b) // N](b))
  return reshape[N, ...S](x)
}
## The inverse of a regular square matrix. Also called inverse.
fn inv(x: f32[N, N]) -> f32[N, N] = solve(x, eye(N))
## Sign of the determinant, and the logarithm of its magnitude.
fn slogdet(x: f32[N, N]) -> (f32, f32) {
  let (_, s, l) = eliminated(x, zeros[N, 1])
  return (s, l)
}
## The determinant, as sign * exp(log): of a regular matrix. Also called determinant.
fn det(x: f32[N, N]) -> f32 {
  let (s, l) = slogdet(x)
  return s * exp(l)
}
## The w that makes |x w - y|^2 + ridge * |w|^2 least, by its normal equations. Also called least_squares and ridge_regression.
fn lstsq(x: f32[N, D], y: f32[N, ...S], ridge: f32 in 0..inf = 0) = solve(transpose(x) @ x + ridge * eye(D), transpose(x) @ y)
## x^n of a square matrix, n at least 0.
fn matrix_power(x: f32[N, N], n: int in 0..inf) -> f32[N, N] = fold (k in 0..n; y = eye(N)) { next y = y @ x }

## Discrete Fourier transform of the last axis, sum over n of (re + i im)[n] exp(-2 pi i k n / N): real and imaginary part. In log2 N passes (Stockham) where N is a power of two
## that is known, else as a product with N^2 factors. `im` is 0 by default.
fn fft(re: f32[...S, N], im: f32[...S, N] = 0) -> (f32[...S, N], f32[...S, N]) {
  let is_power = if is_known(N) then 2^ceil(log2(N)) == N else false
  return if is_power then fast_fourier(re, im) else slow_fourier(re, im)
}
## fft of a length that is a power of two. Pass t joins transforms of m = 2^t elements that stand behind one another.
fn fast_fourier(re: f32[...S, N], im: f32[...S, N]) -> (f32[...S, N], f32[...S, N]) =
  fold (t in 0..ceil(log2(N)); a = re, b = im) {
    let m = min(max(power_of_two(t), 1), N)
    let first = for k in 0..N: k // (2 * m) * m + k % m
    let angle = for k in 0..N: -pi * f32(k % (2 * m)) / f32(m)
    let far_re = for ..., k in 0..N: a[..., first[k] + N // 2] ?? 0
    let far_im = for ..., k in 0..N: b[..., first[k] + N // 2] ?? 0
    next a = for ..., k in 0..N: (a[..., first[k]] ?? 0) + cos(angle[k]) * far_re[..., k] - sin(angle[k]) * far_im[..., k]
    next b = for ..., k in 0..N: (b[..., first[k]] ?? 0) + cos(angle[k]) * far_im[..., k] + sin(angle[k]) * far_re[..., k]
  }
## fft of any length.
fn slow_fourier(re: f32[...S, N], im: f32[...S, N]) -> (f32[...S, N], f32[...S, N]) {
  let c = for n in 0..N, k in 0..N: cos(2 * pi * f32(n * k % N) / N)
  let s = for n in 0..N, k in 0..N: sin(2 * pi * f32(n * k % N) / N)
  let a = for ..., k: sum over n: re[..., n] * c[n, k] + im[..., n] * s[n, k]
  let b = for ..., k: sum over n: im[..., n] * c[n, k] - re[..., n] * s[n, k]
  return (a, b)
}
## The inverse of fft: its conjugate, divided by N.
fn ifft(re: f32[...S, N], im: f32[...S, N] = 0) -> (f32[...S, N], f32[...S, N]) {
  let (a, b) = fft(re, -im)
  return (a / N, -b / N)
}
