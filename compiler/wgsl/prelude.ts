// Functions that kernels call where WGSL's own are missing, undefined somewhere or too inaccurate on some driver. A kernel carries only
// those that it names, and what they use.
export interface Helper {
  readonly uses?: readonly string[];
  readonly code: string;
}
export const prelude: Readonly<Record<string, Helper>> = {
  // WGSL bounds its own log near 1 by an absolute error only. x as m 2^e with sqrt(1/2) <= m < sqrt(2), from the bits (those of a subnormal as a whole
  // number, so that none is flushed); then Cephes' logf. (log(m), e): relative error 1e-7.
  dlm_log_parts: {
    code: `fn dlm_log_parts(x: f32) -> vec2f {\n  let bits = bitcast<i32>(x);\n  let small = bits < 0x00800000;\n  let b = select(bits, bitcast<i32>(f32(bits)), small);\n  let k = (b - 0x3f3504f3) >> 23u;\n  let z = bitcast<f32>(b - (k << 23u)) - 1.0;\n  let q = z * z;\n  let p = ((((((((7.0376836e-2 * z - 0.1151461) * z + 0.11676999) * z - 0.12420141) * z + 0.14249323) * z - 0.16668057) * z + 0.20000714) * z - 0.24999994) * z + 0.3333333) * z * q;\n  return vec2f(z + (p - 0.5 * q), f32(k) - select(0.0, 149.0, small));\n}`,
  },
  // log(0) and log of negatives differ between drivers: one answer everywhere, the largest finite magnitude below 0
  dlm_log: {
    uses: ["dlm_log_parts"],
    code: `fn dlm_log(x: f32) -> f32 {\n  let p = dlm_log_parts(x);\n  return select((p.x - 2.1219444e-4 * p.y) + 0.693359375 * p.y, -0x1.fffffep+127f, bitcast<i32>(x) <= 0);\n}`,
  },
  dlm_log2: {
    uses: ["dlm_log_parts"],
    code: `fn dlm_log2(x: f32) -> f32 {\n  let p = dlm_log_parts(x);\n  return select(1.442695 * p.x + p.y, -0x1.fffffep+127f, bitcast<i32>(x) <= 0);\n}`,
  },
  // log10(e) and log10(2) in two parts, the first of few bits
  dlm_log10: {
    uses: ["dlm_log_parts"],
    code: `fn dlm_log10(x: f32) -> f32 {\n  let p = dlm_log_parts(x);\n  let low = 4.605039e-6 * p.y + 0.00070073145 * p.x;\n  return select((low + 0.43359375 * p.x) + 0.301025390625 * p.y, -0x1.fffffep+127f, bitcast<i32>(x) <= 0);\n}`,
  },
  // a constant expression may not be NaN: read from a variable it is none
  dlm_nan: { code: `fn dlm_nan() -> f32 {\n  var bits = 0x7fc00000u;\n  return bitcast<f32>(bits);\n}` },
  // log(1 + x) = 2 atanh(x / (2 + x)), a series for small x
  dlm_log1p: {
    uses: ["dlm_log"],
    code: `fn dlm_log1p(x: f32) -> f32 {\n  let s = x / (2.0 + x);\n  let q = s * s;\n  let near = 2.0 * s * (1.0 + q * (0.33333333 + q * (0.2 + q * (0.14285714 + q * (0.11111111 + q * 0.09090909)))));\n  return select(dlm_log(1.0 + x), near, abs(x) < 0.4);\n}`,
  },
  dlm_expm1: {
    code: `fn dlm_expm1(x: f32) -> f32 {\n  let near = x * (1.0 + x * (0.5 + x * (0.16666667 + x * (0.041666667 + x * (0.0083333333 + x * (0.0013888889 + x * 0.00019841270))))));\n  return select(exp(min(x, 88.722)) - 1.0, near, abs(x) < 0.5);\n}`,
  },
  // max(a, b) + log(1 + z), z = exp(-|a - b|): log(1 + z) = 2 atanh(z / (2 + z)), a series
  dlm_logaddexp: {
    code: `fn dlm_logaddexp(a: f32, b: f32) -> f32 {\n  let z = exp(-min(abs(a - b), 104.0));\n  let s = z / (2.0 + z);\n  let q = s * s;\n  return max(a, b) + 2.0 * s * (1.0 + q * (0.33333333 + q * (0.2 + q * (0.14285714 + q * (0.11111111 + q * (0.09090909 + q * 0.07692308))))));\n}`,
  },
  // A rational minimax approximation of our own (relative error 7e-8, 4e-7 with the rounding of f32): a division instead of an exponential, which costs
  // software devices most. Beyond 9.1 the quotient passes 1, so that the value is 1 exactly there; some drivers answer NaN for their own tanh beyond 88.
  dlm_tanh: {
    code: `fn dlm_tanh(x: f32) -> f32 {\n  let a = clamp(x, -9.4, 9.4);\n  let q = a * a;\n  let p = 1.0 + q * (0.12916306 + q * (2.9175824e-3 + q * (9.238189e-6 + q * (-1.2693964e-8 + q * 1.8041511e-11))));\n  let r = 1.0 + q * (0.46249592 + q * (2.3750242e-2 + q * 2.2765822e-4));\n  return clamp(a * p / r, -1.0, 1.0);\n}`,
  },
  dlm_sigmoid: {
    code: `fn dlm_sigmoid(x: f32) -> f32 {\n  let e = exp(-min(abs(x), 87.0));\n  return select(e, 1.0, x >= 0.0) / (1.0 + e);\n}`,
  },
  // Up to 20 by expm1; beyond, as the square of exp(a / 2), which is finite where the result is. Larger results are the largest finite numbers.
  dlm_sinh: {
    uses: ["dlm_expm1"],
    code: `fn dlm_sinh(x: f32) -> f32 {\n  let a = min(abs(x), 89.4158);\n  let e = dlm_expm1(min(a, 20.0));\n  let h = exp(0.5 * a);\n  return sign(x) * select(0.5 * (e + e / (e + 1.0)), 0.5 * h * h, a > 20.0);\n}`,
  },
  dlm_cosh: {
    code: `fn dlm_cosh(x: f32) -> f32 {\n  let h = exp(0.5 * min(abs(x), 89.4158));\n  return 0.5 * h * h + 0.5 / h / h;\n}`,
  },
  // WGSL bounds sin and cos on [-pi, pi] only. An angle as r + n pi/2 with |r| <= pi/4, as (r, n). Near: Cody and Waite's reduction, pi/2 in four parts of
  // which the first three have at most 11 bits, so that their products with k are exact. Far: Payne and Hanek's; x is m 2^e with a whole m, and of m times the
  // bits of 2/pi that matter modulo four quarter turns, 64 are kept. Relative error of r in both: 2e-7.
  dlm_near_angle: {
    code: `fn dlm_near_angle(x: f32) -> vec2f {\n  let k = round(clamp(x, -8192.0, 8192.0) * 0.63661977);\n  return vec2f((((x - k * 1.5703125) - k * 0.00048375129699707031) - k * 7.5495336e-8) - k * 2.5633442e-12, k);\n}`,
  },
  dlm_far_angle: {
    uses: ["dlm_multiply_high"],
    code: `fn dlm_far_angle(x: f32) -> vec2f {\n  let bits = bitcast<u32>(x);\n  let m = (bits & 0x7fffffu) | 0x800000u;\n  let at = ((bits >> 23u) & 0xffu) - 140u;\n  let word = at >> 5u;\n  var w = vec4u(0x000a2f98u, 0x36e4e441u, 0x529fc275u, 0x7d1f534du);\n  if (word == 1u) {\n    w = vec4u(0x36e4e441u, 0x529fc275u, 0x7d1f534du, 0xdc0db629u);\n  }\n  if (word == 2u) {\n    w = vec4u(0x529fc275u, 0x7d1f534du, 0xdc0db629u, 0x5993c439u);\n  }\n  if (word == 3u) {\n    w = vec4u(0x7d1f534du, 0xdc0db629u, 0x5993c439u, 0x041fe516u);\n  }\n  let s = at & 31u;\n  let v = (w.xyz << vec3u(s)) | ((w.yzw >> vec3u(1u)) >> vec3u(31u - s));\n  let low = m * v.y;\n  let middle = low + dlm_multiply_high(m, v.z);\n  let high = m * v.x + dlm_multiply_high(m, v.y) + select(0u, 1u, middle < low);\n  let r = 1.5707963 * (f32(bitcast<i32>((high << 2u) | (middle >> 30u))) * 0x1p-32f + f32(middle << 2u) * 0x1p-64f);\n  let n = f32((high + 0x20000000u) >> 30u);\n  return select(vec2f(r, n), vec2f(-r, -n), x < 0.0);\n}`,
  },
  // sine and cosine of such an angle: minimax polynomials (Cephes' sinf and cosf), absolute error 1.2e-7
  dlm_turn: {
    code: `fn dlm_turn(angle: vec2f) -> vec2f {\n  let r = angle.x;\n  let q = r * r;\n  let s = r + r * q * (-0.16666655 + q * (0.0083321609 - q * 0.00019515296));\n  let c = 1.0 - 0.5 * q + q * q * (0.041666646 + q * (-0.0013887316 + q * 2.4433157e-5));\n  let n = i32(angle.y) & 3;\n  let swapped = (n & 1) == 1;\n  let a = select(s, c, swapped);\n  let b = select(c, s, swapped);\n  return vec2f(select(a, -a, n >= 2), select(b, -b, n == 1 || n == 2));\n}`,
  },
  dlm_sin_cos: {
    uses: ["dlm_near_angle", "dlm_far_angle", "dlm_turn"],
    code: `fn dlm_sin_cos(x: f32) -> vec2f {\n  var angle = dlm_near_angle(x);\n  if (abs(x) > 8192.0) {\n    angle = dlm_far_angle(x);\n  }\n  return dlm_turn(angle);\n}`,
  },
  dlm_sin: { uses: ["dlm_sin_cos"], code: `fn dlm_sin(x: f32) -> f32 {\n  return dlm_sin_cos(x).x;\n}` },
  dlm_cos: { uses: ["dlm_sin_cos"], code: `fn dlm_cos(x: f32) -> f32 {\n  return dlm_sin_cos(x).y;\n}` },
  dlm_near_cos: {
    uses: ["dlm_near_angle", "dlm_turn"],
    code: `fn dlm_near_cos(x: f32) -> f32 {\n  return dlm_turn(dlm_near_angle(x)).y;\n}`,
  },
  dlm_tan: {
    uses: ["dlm_sin_cos"],
    code: `fn dlm_tan(x: f32) -> f32 {\n  let p = dlm_sin_cos(x);\n  return p.x / p.y;\n}`,
  },
  // Cephes' atanf: reduction by tan(pi/8) and tan(3 pi/8)
  dlm_atan: {
    code: `fn dlm_atan(x: f32) -> f32 {\n  let a = abs(x);\n  let big = a > 2.4142135;\n  let middle = a > 0.41421356;\n  let r = select(select(a, (a - 1.0) / (a + 1.0), middle), -1.0 / max(a, 1e-30), big);\n  let base = select(select(0.0, 0.78539816, middle), 1.5707963, big);\n  let q = r * r;\n  let y = base + r + r * q * (-0.33332949 + q * (0.19977711 + q * (-0.13877685 + q * 0.080537447)));\n  return select(y, -y, x < 0.0);\n}`,
  },
  dlm_asin: {
    uses: ["dlm_atan"],
    code: `fn dlm_asin(x: f32) -> f32 {\n  return dlm_atan(x / sqrt(max((1.0 - x) * (1.0 + x), 1e-30)));\n}`,
  },
  // not pi/2 - asin(x), which cancels near 1
  dlm_acos: {
    uses: ["dlm_atan2"],
    code: `fn dlm_acos(x: f32) -> f32 {\n  return dlm_atan2(sqrt(max((1.0 - x) * (1.0 + x), 0.0)), x);\n}`,
  },
  // of the smaller by the larger magnitude, scaled to where WGSL bounds the error of a quotient
  dlm_atan2: {
    uses: ["dlm_atan"],
    code: `fn dlm_atan2(y: f32, x: f32) -> f32 {\n  let large = max(abs(x), abs(y));\n  let scale = select(select(1.0, 0x1p-16f, large > 0x1p+110f), 0x1p+60f, large < 0x1p-60f);\n  let a = dlm_atan(scale * min(abs(x), abs(y)) / select(scale * large, 1.0, large == 0.0));\n  let b = select(a, 1.5707963 - a, abs(y) > abs(x));\n  let c = select(b, 3.1415927 - b, bitcast<i32>(x) < 0);\n  return select(c, -c, bitcast<i32>(y) < 0);\n}`,
  },
  // as for tanh: minimax, relative error 4e-8, 4e-7 with the rounding of f32; 1 exactly beyond 4.1
  dlm_erf: {
    code: `fn dlm_erf(x: f32) -> f32 {\n  let a = clamp(x, -4.16, 4.16);\n  let q = a * a;\n  let p = 1.1283792 + q * (0.1887181 + q * (5.2483916e-2 + q * (3.6834467e-3 + q * (2.8141873e-4 + q * 2.0409711e-6))));\n  let r = 1.0 + q * (0.5005802 + q * (0.1133742 + q * (1.4803759e-2 + q * (1.1397223e-3 + q * 3.7818103e-5))));\n  return clamp(a * p / r, -1.0, 1.0);\n}`,
  },
  // Stirling's series from 8 on; a smaller x is moved there by a product, a negative one reflected by pi / sin(pi x) with x less its nearest whole number.
  // Absolute error 3e-6 up to 16, relative 3e-7 beyond. The largest finite number at the poles.
  dlm_lgamma: {
    uses: ["dlm_log", "dlm_near_angle", "dlm_turn"],
    code: `fn dlm_lgamma(x: f32) -> f32 {\n  let r = x - round(x);\n  let reflected = x < 0.0;\n  var y = min(select(x, 1.0 - x, reflected), 4.0e+36);\n  var product = 1.0;\n  for (var i = 0; i < 8; i++) {\n    let low = y < 8.0;\n    product *= select(1.0, y, low);\n    y += select(0.0, 1.0, low);\n  }\n  let q = 1.0 / y;\n  let p = (y - 0.5) * dlm_log(y) - y + 0.91893853 + (0.083333333 - q * q * (0.0027777778 - q * q * 0.00079365079)) * q - dlm_log(product);\n  let sine = abs(dlm_turn(dlm_near_angle(3.1415927 * r)).x);\n  let value = select(p, 1.1447299 - dlm_log(sine) - p, reflected);\n  return select(value, 0x1.fffffep+127f, ((x <= 0.0) & (r == 0.0)) | (x > 4.0e+36));\n}`,
  },
  // the same; at a pole the limit from above, the largest finite magnitude
  dlm_digamma: {
    uses: ["dlm_log", "dlm_near_angle", "dlm_turn"],
    code: `fn dlm_digamma(x: f32) -> f32 {\n  let r = x - round(x);\n  let reflected = x < 0.0;\n  var y = select(x, 1.0 - x, reflected);\n  var shift = 0.0;\n  for (var i = 0; i < 8; i++) {\n    let low = y < 8.0;\n    shift += select(0.0, 1.0 / max(y, 3e-39), low);\n    y += select(0.0, 1.0, low);\n  }\n  let q = 1.0 / min(y, 1e18);\n  let p = dlm_log(y) - 0.5 * q - q * q * (0.083333333 - q * q * (0.0083333333 - q * q * 0.0039682540)) - shift;\n  let turn = dlm_turn(dlm_near_angle(3.1415927 * r));\n  let value = select(p, p - 3.1415927 * turn.y / turn.x, reflected);\n  return select(value, -0x1.fffffep+127f, (x <= 0.0) & (r == 0.0));\n}`,
  },
  // k! / x^(k + 1) at the k of n, as a product of quotients
  dlm_inverse_power: {
    code: `fn dlm_inverse_power(n: f32, x: f32) -> f32 {\n  var y = 1.0 / x;\n  for (var k = 1.0; k < n + 0.5; k += 1.0) {\n    y *= k / x;\n  }\n  return y;\n}`,
  },
  // n! times Hurwitz' zeta(n + 1, a), a > 0: terms up to a >= 8, then the asymptotic series
  dlm_zeta: {
    uses: ["dlm_inverse_power"],
    code: `fn dlm_zeta(n: f32, a: f32) -> f32 {\n  var x = a;\n  var sum = 0.0;\n  for (var i = 0; i < 8; i++) {\n    if (x < 8.0) {\n      sum += dlm_inverse_power(n, x);\n      x += 1.0;\n    }\n  }\n  let r = 1.0 / (x * x);\n  let series = 1.0 + n / (2.0 * x) + n * (n + 1.0) / 12.0 * r * (1.0 - (n + 2.0) * (n + 3.0) / 60.0 * r * (1.0 - (n + 4.0) * (n + 5.0) / 42.0 * r));\n  return sum + dlm_inverse_power(n - 1.0, x) * series;\n}`,
  },
  // A negative a by the sum over all whole numbers k of 1 / (a + k)^(n + 1), which has period 1, less the terms that are not of the series at a.
  // At a pole the limit from above, the largest finite magnitude.
  dlm_polygamma: {
    uses: ["dlm_zeta", "dlm_inverse_power"],
    code: `fn dlm_polygamma(n: f32, a: f32) -> f32 {\n  let sign = select(-1.0, 1.0, abs(n - 2.0 * floor(0.5 * n)) == 1.0);\n  let r = a - round(a);\n  if (a > 0.0) {\n    return sign * dlm_zeta(n, a);\n  }\n  if (r == 0.0) {\n    return sign * 0x1.fffffep+127f;\n  }\n  return sign * (dlm_inverse_power(n, r) + dlm_zeta(n, 1.0 + r)) + dlm_zeta(n, 1.0 - r) - dlm_zeta(n, 1.0 - a);\n}`,
  },
  // the leading 12 bits: products of two such are exact, and no driver can take the split back
  dlm_head: { code: `fn dlm_head(x: f32) -> f32 {\n  return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u);\n}` },
  // 2^(y log2 x) with a logarithm of two parts, as y multiplies its error (the splitting is that of fdlibm's powf); relative error 2e-7 wherever the result is
  // a normal number. Whole y of negative x, 0^y, and the largest finite number for what is larger.
  dlm_pow: {
    uses: ["dlm_head"],
    code: `fn dlm_pow(x: f32, y: f32) -> f32 {
  let bits = bitcast<i32>(x) & 0x7fffffff;
  let small = bits < 0x00800000;
  let b = select(bits, bitcast<i32>(f32(bits)), small);
  let k = (b - 0x3f3504f3) >> 23u;
  let m = bitcast<f32>(b - (k << 23u)); // sqrt(1/2) <= m < sqrt(2), |x| = m 2^e
  let e = f32(k) - select(0.0, 149.0, small);
  let s = (m - 1.0) / (m + 1.0);
  let s1 = dlm_head(s);
  let a1 = dlm_head(m + 1.0);
  let s2 = (((m - 1.0) - s1 * a1) - s1 * (m - (a1 - 1.0))) / (m + 1.0);
  let q = s * s;
  let q1 = s1 * s1;
  let rest = s2 * (s1 + s) + q * q * (0.6 + q * (0.42857143 + q * (0.33333333 + q * 0.27272727)));
  let t1 = dlm_head(3.0 + q1 + rest); // log(m) = 2/3 s (3 + q + ...)
  let t2 = rest - ((t1 - 3.0) - q1);
  let u = s1 * t1;
  let v = s2 * t1 + t2 * s;
  let p1 = dlm_head(u + v);
  let p2 = v - (p1 - u);
  let z1 = 0.9619140625 * p1; // 2 / (3 log 2)
  let z2 = 0.96179669 * p2 - 0.00011736857 * p1;
  let l1 = dlm_head(z1 + z2 + e);
  let l2 = z2 - ((l1 - e) - z1);
  let c = clamp(y, -1e12, 1e12);
  let c1 = dlm_head(c);
  let high = clamp(c1 * l1, -1e4, 1e4);
  let low = clamp((c - c1) * l1 + c * l2, -1e4, 1e4);
  let z = high + low;
  let n = round(clamp(z, -160.0, 128.0));
  let r = (high - n) + low;
  let g = 1.0 + r * (0.69314718 + r * (0.24022651 + r * (0.055504109 + r * (0.0096181291 + r * (0.0013333558 + r * 0.00015403530)))));
  let half = i32(n) >> 1u;
  let scaled = g * bitcast<f32>((half + 127) << 23u) * bitcast<f32>((i32(n) - half + 127) << 23u);
  let size = select(select(scaled, 0.0, z < -150.0), 0x1.fffffep+127f, z >= 128.0);
  let odd = abs(y - 2.0 * floor(0.5 * y)) == 1.0;
  let signed = select(size, -size, (x < 0.0) & odd);
  return select(select(signed, select(0.0, 0x1.fffffep+127f, y < 0.0), bits == 0), 1.0, y == 0.0);
}`,
  },
  dlm_floor_div: {
    code: `fn dlm_floor_div(a: i32, b: i32) -> i32 {\n  let q = a / b;\n  return select(q, q - 1, (a % b != 0) & ((a < 0) != (b < 0)));\n}`,
  },
  dlm_modulo: {
    code: `fn dlm_modulo(a: i32, b: i32) -> i32 {\n  let r = a % b;\n  return select(r, r + b, (r != 0) & ((r < 0) != (b < 0)));\n}`,
  },
  dlm_keep_finite: {
    code: `fn dlm_keep_finite(x: f32) -> f32 {\n  return clamp(x, -0x1.fffffep+127f, 0x1.fffffep+127f);\n}`,
  },
  // WGSL lets drivers reassociate sums and products, and they do. An integer operation stands in their way: this one changes one NaN and nothing else.
  dlm_keep_rounding: {
    code: `fn dlm_keep_rounding(x: f32) -> f32 {\n  return bitcast<f32>(min(bitcast<u32>(x), 0xfffffffeu));\n}`,
  },
  // WGSL promises 2.5 ULP for x / y. Of normal numbers with a normal quotient the digits are found in integers, which no device rounds and no driver
  // reassociates: a guess q at most 3 off, less 3, then what is left of the dividend, x - q y, small and so exact modulo 2^32, says how much is missing.
  // There are no ties: 2 q + 1 would divide a number of 24 bits.
  dlm_div_rounded: {
    code: `fn dlm_div_rounded(x: f32, y: f32) -> f32 {
  let a = bitcast<vec2u>(vec2f(x, y));
  let e = (a >> vec2u(23u)) & vec2u(255u);
  let m = (a & vec2u(0x7fffffu)) | vec2u(0x800000u);
  let n = m.y;
  let s = select(23u, 24u, m.x < n);
  var q = u32(f32(m.x) / f32(n) * f32(1u << s)) - 3u;
  var r = (m.x << s) - q * n;
  let c = select(0u, 4u, r >= 4u * n);
  r -= c * n;
  let d = select(0u, 2u, r >= 2u * n);
  r -= d * n;
  let f = select(0u, 1u, r >= n);
  r -= f * n;
  q += c + d + f + select(0u, 1u, 2u * r > n);
  let p = i32(e.x) - i32(e.y) - i32(s) + 150;
  let z = bitcast<f32>(((a.x ^ a.y) & 0x80000000u) | ((u32(clamp(p, 1, 254)) << 23u) + q - 0x800000u));
  return select(x / y, z, all((e - vec2u(1u)) < vec2u(254u)) & (p > 0) & (p < 255));
}`,
  },
  // A quotient rounded first may be the next whole number, and its product by y has more than 24 bits. So a division of
  // whole numbers, 8 bits at a time: |x| is m 2^(e - 150) of a whole m, and what is left of it a whole number of the
  // divisor's last digits. Correctly rounded, exact where |x| >= |y|.
  dlm_floor_remainder: {
    uses: ["dlm_nan"],
    code: `fn dlm_floor_remainder(x: f32, y: f32) -> f32 {
  let a = vec2u(bitcast<u32>(x), bitcast<u32>(y)) & vec2u(0x7fffffffu);
  let turned = (bitcast<u32>(x) ^ bitcast<u32>(y)) >= 0x80000000u;
  let e = max(a >> vec2u(23u), vec2u(1u));
  let m = (a & vec2u(0x7fffffu)) | select(vec2u(), vec2u(0x800000u), a >= vec2u(0x800000u));
  if (a.x >= 0x7f800000u || a.y == 0u) {
    return dlm_nan();
  }
  if (a.x < a.y) {
    return select(x, x + y, turned & (a.x != 0u));
  }
  var r = m.x % m.y;
  for (var k = e.x - e.y; k > 0u; k -= min(k, 8u)) {
    r = (r << min(k, 8u)) % m.y;
  }
  if (r == 0u) {
    return 0.0;
  }
  r = select(r, m.y - r, turned);
  let digits = bitcast<u32>(f32(r));
  let normal = (digits >> 23u) + e.y > 150u;
  let z = select(r << ((e.y - 1u) & 31u), digits + ((e.y - 150u) << 23u), normal);
  return bitcast<f32>(z | (bitcast<u32>(y) & 0x80000000u));
}`,
  },
  // Philox 4x32-10 (Salmon et al. 2011). The loop begins at a 0 that drivers do not know, else some write out ten rounds, which takes them longer than it saves.
  dlm_multiply_high: {
    code: `fn dlm_multiply_high(a: u32, b: u32) -> u32 {\n  let al = a & 0xffffu;\n  let ah = a >> 16u;\n  let bl = b & 0xffffu;\n  let bh = b >> 16u;\n  let t = ah * bl + ((al * bl) >> 16u);\n  let u = al * bh + (t & 0xffffu);\n  return ah * bh + (t >> 16u) + (u >> 16u);\n}`,
  },
  dlm_random_in: {
    uses: ["dlm_multiply_high"],
    code: `fn dlm_random_in(a: i32, b: i32, low: i32, width: i32) -> i32 {\n  let n = u32(width);\n  let rest = u32(a) * n;\n  let carry = rest + dlm_multiply_high(u32(b), n) < rest;\n  let high = dlm_multiply_high(u32(a), n) + select(0u, 1u, carry);\n  return low + i32(select(high, u32(a), n == 0u));\n}`,
  },
  dlm_philox: {
    uses: ["dlm_multiply_high"],
    code: `fn dlm_philox(seed: i32, site: u32, step: i32, block: u32) -> vec4u {\n  var c = vec4u(block, u32(step), 0u, 0u);\n  var k = vec2u(u32(seed), site);\n  for (var i = min(i32(block), 0); i < 10; i++) {\n    c = vec4u(dlm_multiply_high(0xcd9e8d57u, c.z) ^ c.y ^ k.x, 0xcd9e8d57u * c.z, dlm_multiply_high(0xd2511f53u, c.x) ^ c.w ^ k.y, 0xd2511f53u * c.x);\n    k += vec2u(0x9e3779b9u, 0xbb67ae85u);\n  }\n  return c;\n}`,
  },
  dlm_uniform: {
    uses: ["dlm_philox"],
    code: `fn dlm_uniform(seed: i32, site: u32, step: i32, e: u32) -> f32 {\n  let words = dlm_philox(seed, site, step, e / 4u);\n  return f32(words[e % 4u] >> 8u) * 0x1p-24f;\n}`,
  },
  // the elements 4 block .. 4 block + 3
  dlm_uniform4: {
    uses: ["dlm_philox"],
    code: `fn dlm_uniform4(seed: i32, site: u32, step: i32, block: u32) -> vec4f {\n  return vec4f(dlm_philox(seed, site, step, block) >> vec4u(8u)) * 0x1p-24f;\n}`,
  },
  dlm_normal4: {
    uses: ["dlm_philox", "dlm_near_cos"],
    code: `fn dlm_normal4(seed: i32, site: u32, step: i32, block: u32) -> vec4f {\n  let a = dlm_philox(seed, site, step, 2u * block);\n  let b = dlm_philox(seed, site, step, 2u * block + 1u);\n  let u = vec4f(vec4u(a.x, a.z, b.x, b.z) >> vec4u(8u)) * 0x1p-24f;\n  let v = 6.2831853 * vec4f(vec4u(a.y, a.w, b.y, b.w) >> vec4u(8u)) * 0x1p-24f;\n  return sqrt(max(-2.0 * log(1.0 - u), vec4f())) * vec4f(dlm_near_cos(v.x), dlm_near_cos(v.y), dlm_near_cos(v.z), dlm_near_cos(v.w));\n}`,
  },
  dlm_normal: {
    uses: ["dlm_philox", "dlm_near_cos"],
    code: `fn dlm_normal(seed: i32, site: u32, step: i32, e: u32) -> f32 {\n  let words = dlm_philox(seed, site, step, e / 2u);\n  let at = 2u * (e % 2u);\n  let u = f32(words[at] >> 8u) * 0x1p-24f;\n  let v = f32(words[at + 1u] >> 8u) * 0x1p-24f;\n  return sqrt(max(-2.0 * log(1.0 - u), 0.0)) * dlm_near_cos(6.2831853 * v);\n}`,
  },
};
/** The code of these helpers and of what they use, each once, users last. */
export function helperCode(names: Iterable<string>): string[] {
  const done = new Set<string>();
  const result: string[] = [];
  const add = (name: string): void => {
    if (done.has(name)) return;
    done.add(name);
    const helper = prelude[name];
    if (!helper) return;
    helper.uses?.forEach(add);
    result.push(helper.code);
  };
  for (const name of [...names].sort()) add(name);
  return result;
}
