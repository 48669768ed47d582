// Functions that kernels call where WGSL's own are missing, undefined somewhere or too inaccurate on some driver. A kernel carries only
// those that it names, and what they use.
export interface Helper {
  readonly uses?: readonly string[];
  readonly code: string;
}
export const prelude: Readonly<Record<string, Helper>> = {
  // log(0) and log of negatives differ between drivers: one answer everywhere, the largest finite magnitude below 0
  dlm_log: { code: `fn dlm_log(x: f32) -> f32 {\n  return select(log(x), -0x1.fffffep+127f, x <= 0.0);\n}` },
  // log(1 + x) = 2 atanh(x / (2 + x)), a series for small x
  dlm_log1p: {
    uses: ["dlm_log"],
    code: `fn dlm_log1p(x: f32) -> f32 {\n  let s = x / (2.0 + x);\n  let q = s * s;\n  let near = 2.0 * s * (1.0 + q * (0.33333333 + q * (0.2 + q * (0.14285714 + q * (0.11111111 + q * 0.09090909)))));\n  return select(dlm_log(1.0 + x), near, abs(x) < 0.4);\n}`,
  },
  dlm_expm1: {
    code: `fn dlm_expm1(x: f32) -> f32 {\n  let near = x * (1.0 + x * (0.5 + x * (0.16666667 + x * (0.041666667 + x * (0.0083333333 + x * (0.0013888889 + x * 0.00019841270))))));\n  return select(exp(x) - 1.0, near, abs(x) < 0.5);\n}`,
  },
  // A rational minimax approximation of our own (relative error 7e-8, 4e-7 with the rounding of f32): a division instead of an exponential, which costs
  // software devices most. Beyond 9.1 the quotient passes 1, so that the value is 1 exactly there; some drivers answer NaN for their own tanh beyond 88.
  dlm_tanh: {
    code: `fn dlm_tanh(x: f32) -> f32 {\n  let a = clamp(x, -9.4, 9.4);\n  let q = a * a;\n  let p = 1.0 + q * (0.12916306 + q * (2.9175824e-3 + q * (9.238189e-6 + q * (-1.2693964e-8 + q * 1.8041511e-11))));\n  let r = 1.0 + q * (0.46249592 + q * (2.3750242e-2 + q * 2.2765822e-4));\n  return clamp(a * p / r, -1.0, 1.0);\n}`,
  },
  dlm_sigmoid: { code: `fn dlm_sigmoid(x: f32) -> f32 {\n  let e = exp(-min(abs(x), 87.0));\n  return select(e, 1.0, x >= 0.0) / (1.0 + e);\n}` },
  dlm_sinh: { uses: ["dlm_expm1"], code: `fn dlm_sinh(x: f32) -> f32 {\n  let e = dlm_expm1(abs(x));\n  return sign(x) * 0.5 * (e + e / (e + 1.0));\n}` },
  dlm_cosh: { code: `fn dlm_cosh(x: f32) -> f32 {\n  let e = exp(abs(x));\n  return 0.5 * (e + 1.0 / e);\n}` },
  // Cody and Waite reduction to [-pi/4, pi/4] in three parts, then minimax polynomials (Cephes' sinf and cosf)
  dlm_sin_cos: {
    code: `fn dlm_sin_cos(x: f32) -> vec2f {\n  let k = round(x * 0.63661977);\n  let r = ((x - k * 1.5703125) - k * 0.00048375129699707031) - k * 7.5497899548918821e-8;\n  let q = r * r;\n  let s = r + r * q * (-0.16666655 + q * (0.0083321609 - q * 0.00019515296));\n  let c = 1.0 - 0.5 * q + q * q * (0.041666646 + q * (-0.0013887316 + q * 2.4433157e-5));\n  let n = i32(k) & 3;\n  let swapped = (n & 1) == 1;\n  let a = select(s, c, swapped);\n  let b = select(c, s, swapped);\n  return vec2f(select(a, -a, n >= 2), select(b, -b, n == 1 || n == 2));\n}`,
  },
  dlm_sin: { uses: ["dlm_sin_cos"], code: `fn dlm_sin(x: f32) -> f32 {\n  return dlm_sin_cos(x).x;\n}` },
  dlm_cos: { uses: ["dlm_sin_cos"], code: `fn dlm_cos(x: f32) -> f32 {\n  return dlm_sin_cos(x).y;\n}` },
  dlm_tan: { uses: ["dlm_sin_cos"], code: `fn dlm_tan(x: f32) -> f32 {\n  let p = dlm_sin_cos(x);\n  return p.x / p.y;\n}` },
  // Cephes' atanf: reduction by tan(pi/8) and tan(3 pi/8)
  dlm_atan: {
    code: `fn dlm_atan(x: f32) -> f32 {\n  let a = abs(x);\n  let big = a > 2.4142135;\n  let middle = a > 0.41421356;\n  let r = select(select(a, (a - 1.0) / (a + 1.0), middle), -1.0 / max(a, 1e-30), big);\n  let base = select(select(0.0, 0.78539816, middle), 1.5707963, big);\n  let q = r * r;\n  let y = base + r + r * q * (-0.33332949 + q * (0.19977711 + q * (-0.13877685 + q * 0.080537447)));\n  return select(y, -y, x < 0.0);\n}`,
  },
  dlm_asin: { uses: ["dlm_atan"], code: `fn dlm_asin(x: f32) -> f32 {\n  return dlm_atan(x / sqrt(max((1.0 - x) * (1.0 + x), 1e-30)));\n}` },
  dlm_acos: { uses: ["dlm_asin"], code: `fn dlm_acos(x: f32) -> f32 {\n  return 1.5707963 - dlm_asin(x);\n}` },
  dlm_atan2: {
    uses: ["dlm_atan"],
    code: `fn dlm_atan2(y: f32, x: f32) -> f32 {\n  let a = dlm_atan(y / select(x, 1e-30, x == 0.0));\n  let turned = select(a, a + select(3.1415927, -3.1415927, y < 0.0), x < 0.0);\n  return select(turned, select(1.5707963, -1.5707963, y < 0.0) * abs(sign(y)), x == 0.0);\n}`,
  },
  // as for tanh: minimax, relative error 4e-8, 4e-7 with the rounding of f32; 1 exactly beyond 4.1
  dlm_erf: {
    code: `fn dlm_erf(x: f32) -> f32 {\n  let a = clamp(x, -4.16, 4.16);\n  let q = a * a;\n  let p = 1.1283792 + q * (0.1887181 + q * (5.2483916e-2 + q * (3.6834467e-3 + q * (2.8141873e-4 + q * 2.0409711e-6))));\n  let r = 1.0 + q * (0.5005802 + q * (0.1133742 + q * (1.4803759e-2 + q * (1.1397223e-3 + q * 3.7818103e-5))));\n  return clamp(a * p / r, -1.0, 1.0);\n}`,
  },
  dlm_lgamma: {
    uses: ["dlm_log"],
    code: `fn dlm_lgamma(x: f32) -> f32 {\n  var y = x;\n  var shift = 0.0;\n  for (var i = 0; i < 8; i++) {\n    if (y < 8.0) {\n      shift += dlm_log(abs(y));\n      y += 1.0;\n    }\n  }\n  let r = 1.0 / (y * y);\n  return (y - 0.5) * dlm_log(y) - y + 0.91893853 + (0.083333333 - r * (0.0027777778 - r * 0.00079365079)) / y - shift;\n}`,
  },
  dlm_digamma: {
    uses: ["dlm_log"],
    code: `fn dlm_digamma(x: f32) -> f32 {\n  var y = x;\n  var shift = 0.0;\n  for (var i = 0; i < 8; i++) {\n    if (y < 8.0) {\n      shift += 1.0 / y;\n      y += 1.0;\n    }\n  }\n  let r = 1.0 / (y * y);\n  return dlm_log(y) - 0.5 / y - r * (0.083333333 - r * (0.0083333333 - r * 0.0039682540)) - shift;\n}`,
  },
  // terms n! / x^(n + 1) up to x >= 8, then the asymptotic series
  dlm_polygamma: {
    code: `fn dlm_polygamma(n: f32, a: f32) -> f32 {\n  var factorial = 1.0;\n  for (var k = 2.0; k < n + 0.5; k += 1.0) {\n    factorial *= k;\n  }\n  var x = a;\n  var sum = 0.0;\n  for (var i = 0; i < 8; i++) {\n    if (x < 8.0) {\n      sum += factorial / pow(x, n + 1.0);\n      x += 1.0;\n    }\n  }\n  let r = 1.0 / (x * x);\n  let series = 1.0 + n / (2.0 * x) + n * (n + 1.0) / 12.0 * r * (1.0 - (n + 2.0) * (n + 3.0) / 60.0 * r * (1.0 - (n + 4.0) * (n + 5.0) / 42.0 * r));\n  return select(-1.0, 1.0, abs(n - 2.0 * floor(0.5 * n)) == 1.0) * (sum + factorial / n * pow(x, -n) * series);\n}`,
  },
  // defined for negative x with whole y, and at 0; pow itself is not
  dlm_pow: {
    code: `fn dlm_pow(x: f32, y: f32) -> f32 {\n  let m = exp2(y * log2(max(abs(x), 1e-38)));\n  let odd = abs(y - 2.0 * floor(0.5 * y)) == 1.0;\n  let signed = select(m, -m, x < 0.0 && odd);\n  return select(select(signed, select(0.0, 0x1.fffffep+127f, y < 0.0), x == 0.0), 1.0, y == 0.0);\n}`,
  },
  dlm_floor_div: { code: `fn dlm_floor_div(a: i32, b: i32) -> i32 {\n  let q = a / b;\n  return select(q, q - 1, (a % b != 0) && ((a < 0) != (b < 0)));\n}` },
  dlm_modulo: { code: `fn dlm_modulo(a: i32, b: i32) -> i32 {\n  let r = a % b;\n  return select(r, r + b, r != 0 && ((r < 0) != (b < 0)));\n}` },
  dlm_keep_finite: { code: `fn dlm_keep_finite(x: f32) -> f32 {\n  return clamp(x, -0x1.fffffep+127f, 0x1.fffffep+127f);\n}` },
  // WGSL lets drivers reassociate sums and products, and they do. An integer operation stands in their way: this one changes one NaN and nothing else.
  dlm_keep_rounding: { code: `fn dlm_keep_rounding(x: f32) -> f32 {\n  return bitcast<f32>(min(bitcast<u32>(x), 0xfffffffeu));\n}` },
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
  return select(x / y, z, all((e - vec2u(1u)) < vec2u(254u)) && p > 0 && p < 255);
}`,
  },
  // Philox 4x32-10 (Salmon et al. 2011). The loop begins at a 0 that drivers do not know, else some write out ten rounds, which takes them longer than it saves.
  dlm_multiply_high: {
    code: `fn dlm_multiply_high(a: u32, b: u32) -> u32 {\n  let al = a & 0xffffu;\n  let ah = a >> 16u;\n  let bl = b & 0xffffu;\n  let bh = b >> 16u;\n  let t = ah * bl + ((al * bl) >> 16u);\n  let u = al * bh + (t & 0xffffu);\n  return ah * bh + (t >> 16u) + (u >> 16u);\n}`,
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
    uses: ["dlm_philox", "dlm_cos"],
    code: `fn dlm_normal4(seed: i32, site: u32, step: i32, block: u32) -> vec4f {\n  let a = dlm_philox(seed, site, step, 2u * block);\n  let b = dlm_philox(seed, site, step, 2u * block + 1u);\n  let u = vec4f(vec4u(a.x, a.z, b.x, b.z) >> vec4u(8u)) * 0x1p-24f;\n  let v = 6.2831853 * vec4f(vec4u(a.y, a.w, b.y, b.w) >> vec4u(8u)) * 0x1p-24f;\n  return sqrt(-2.0 * log(1.0 - u)) * vec4f(dlm_cos(v.x), dlm_cos(v.y), dlm_cos(v.z), dlm_cos(v.w));\n}`,
  },
  dlm_normal: {
    uses: ["dlm_philox", "dlm_cos"],
    code: `fn dlm_normal(seed: i32, site: u32, step: i32, e: u32) -> f32 {\n  let words = dlm_philox(seed, site, step, e / 2u);\n  let at = 2u * (e % 2u);\n  let u = f32(words[at] >> 8u) * 0x1p-24f;\n  let v = f32(words[at + 1u] >> 8u) * 0x1p-24f;\n  return sqrt(-2.0 * log(1.0 - u)) * dlm_cos(6.2831853 * v);\n}`,
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
