# Initialisers: distributions of a parameter. `shape` is its own; fan_in (the product of all axes but the last) and fan_out (the last) too, where its layer does not say others.

## What PyTorch does for Linear and Conv: uniform in +-1 / sqrt(fan_in).
init linear_default() = uniform(-1, 1) / sqrt(fan_in)
## Glorot and Bengio 2010. Also called xavier_uniform, xavier_uniform_ and GlorotUniform.
init glorot_uniform(gain: f32 = 1) = uniform(-1, 1) * (gain * sqrt(6 / (fan_in + fan_out)))
## Glorot and Bengio 2010, normal. Also called xavier_normal, xavier_normal_ and GlorotNormal.
init glorot_normal(gain: f32 = 1) = normal(0, gain * sqrt(2 / (fan_in + fan_out)))
## He et al. 2015, normal: deviation gain / sqrt(fan_in), or with `backward` by fan_out, which keeps the size of gradients. A common choice: he_normal(). Also called kaiming_normal, kaiming_normal_ and HeNormal.
init he_normal(gain: f32 = sqrt(2), backward: bool = false) = normal(0, gain / sqrt(if backward then fan_out else fan_in))
## He et al. 2015, uniform. Also called kaiming_uniform, kaiming_uniform_ and HeUniform.
init he_uniform(gain: f32 = sqrt(2), backward: bool = false) = uniform(-1, 1) * (gain * sqrt(3 / (if backward then fan_out else fan_in)))
## LeCun et al. 1998, normal: variance 1 / fan_in, which selu expects. Also called LecunNormal.
init lecun_normal(gain: f32 = 1) = normal(0, gain / sqrt(fan_in))
## LeCun et al. 1998, uniform: variance 1 / fan_in. Also called LecunUniform.
init lecun_uniform(gain: f32 = 1) = uniform(-1, 1) * (gain * sqrt(3 / fan_in))
## Normal with deviation std around mean, limited to `limit` deviations on both sides (what lies beyond is drawn anew; it makes the deviation smaller, for 2 by 0.88). Also called trunc_normal, trunc_normal_ and TruncatedNormal.
init truncated_normal(std: f32 in 0..inf = 1, mean: f32 = 0, limit: f32 in 0.1..5 = 2) {
  # the normal distribution function is inverted by Newton's method, which comes from below as it is concave
  let u = erf(limit / sqrt(2)) * uniform[...shape]
  let z = fold (k in 0..16; z = zeros[...shape]) {
    next z = z + sqrt(pi / 2) * (u - erf(z / sqrt(2))) * exp(0.5 * z^2)
  }
  return mean + std * clamp(z, 0, limit) * where(bernoulli(0.5)[...shape] > 0, 1.0, -1.0)
}
## Uniform draws of matrices with orthonormal columns, or rows where there are fewer rows than columns (Saxe et al. 2014): the polar factor of normal draws. All axes but the last are the rows. Also called orthogonal_, Orthogonal and OrthogonalInitializer.
init orthogonal(gain: f32 = 1) = gain * reshape[...shape](orthonormal(normal[fan_in, shape[-1]]))
## U V^T of the singular value decomposition U S V^T, by iterations of Newton and Schulz: first such as lift what is small, then such as end at 1.
fn orthonormal(x: f32[R, C]) -> f32[R, C] {
  let wide = if R > C then transpose(x) else x
  let lifted = fold (k in 0..14; y = wide / (norm(wide) + 1e-30)) {
    let s = y @ transpose(y)
    next y = 3.4445 * y + (-4.775 * s + 2.0315 * (s @ s)) @ y
  }
  let y = fold (k in 0..12; y = lifted) {
    next y = 1.5 * y - 0.5 * (y @ transpose(y)) @ y
  }
  return if R > C then transpose(y) else y
}
## The identity, of a matrix [in, out] or in the middle of a convolution's window: channel c goes to channel c, so that the layer begins as its input. Also called dirac_, eye_, Identity and IdentityInitializer.
init dirac(gain: f32 = 1) = middle(shape, gain * eye(shape[-2], shape[-1]))
## The identity, of a matrix or in the middle of a convolution's window: dirac by another name.
init identity(gain: f32 = 1) = middle(shape, gain * eye(shape[-2], shape[-1]))
## An orthogonal matrix in the middle of a convolution's window, zero elsewhere: very deep convolutional networks keep the size of signals (Xiao et al. 2018). Also called delta_orthogonal_initializer.
init delta_orthogonal(gain: f32 = 1) = middle(shape, gain * orthonormal(normal[shape[-2], shape[-1]]))
## `zeros` of the weights of every unit (every column) at random places are 0, the others normal with deviation std (Martens 2010). Also called sparse_.
init sparse(zeros: f32 in 0..1, std: f32 in 0..inf = 0.01) {
  let order = ranks(transpose(uniform[fan_in, shape[-1]]))
  return reshape[...shape](std * normal[fan_in, shape[-1]] * transpose(f32(f32(order) >= ceil(zeros * fan_in))))
}
## m where there are two axes, else m in the middle of the axes before and zeros elsewhere.
fn middle(shape, m: f32[I, O]) {
  let n = len(shape) - 2
  let taps = if n == 0 then 1 else if n == 1 then shape[0] else if n == 2 then shape[0] * shape[1] else shape[0] * shape[1] * shape[2]
  let at = if n == 0 then 0 else if n == 1 then shape[0] // 2 else if n == 2 then shape[0] // 2 * shape[1] + shape[1] // 2
           else (shape[0] // 2 * shape[1] + shape[1] // 2) * shape[2] + shape[2] // 2
  return reshape[...shape](for t in 0..taps, i, o: where(t == at, m[i, o], 0))
}
