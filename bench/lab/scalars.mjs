// WGSL's scalar arithmetic as JavaScript expressions: 32-bit integers that wrap, conversions, built-in functions. Texts in, a text out; constants are folded.

export const number = (text) => (/^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined);
export const isFloat = (name) => name === "f32" || name === "f16" || name === "float";
export const isAbstract = (name) => name === "int" || name === "float";

export const wrap = (name, text) => (name === "i32" ? `(${text}|0)` : name === "u32" ? `(${text}>>>0)` : `(${text})`);
export function arithmetic(op, name, a, b) {
  const [x, y] = [number(a), number(b)];
  if (x !== undefined && y !== undefined) {
    const exact = { "+": x + y, "-": x - y, "*": x * y }[op];
    if (exact !== undefined && Math.abs(exact) < 2 ** 31 && (name !== "u32" || exact >= 0)) return String(exact);
  }
  if (op === "+" && x === 0) return b;
  if ((op === "+" || op === "-") && y === 0) return a;
  if (op === "*" && x === 1) return b;
  if ((op === "*" || op === "/") && y === 1) return a;
  if (isFloat(name)) return op === "%" ? `(${a}%${b})` : `(${a}${op}${b})`;
  switch (op) {
    case "*":
      return name === "u32" ? `(Math.imul(${a},${b})>>>0)` : `Math.imul(${a},${b})`;
    case "/":
      return wrap(name, `(${b}?${a}/${b}:${a})`);
    case "%":
      return `(${b}?${a}%${b}:0)`;
    case "<<":
      return wrap(name, `(${a}<<${b})`);
    case ">>":
      return name === "u32" ? `(${a}>>>${b})` : `(${a}>>${b})`;
    default:
      return wrap(name, `(${a}${op}${b})`);
  }
}
export const convert = (to, from, text) => {
  if (to === from || (to === "f32" && from !== "bool") || to === "float") return text;
  if (to === "bool") return `(${text}?1:0)`;
  if (to === "i32") return isFloat(from) ? `toInt(${text})` : number(text) !== undefined ? text : `(${text}|0)`;
  if (to === "u32") return isFloat(from) ? `toUint(${text})` : number(text) >= 0 ? text : `(${text}>>>0)`;
  return text;
};
export const unaryFloat = {
  floor: "Math.floor",
  ceil: "Math.ceil",
  round: "roundEven",
  trunc: "Math.trunc",
  exp: "Math.exp",
  exp2: "exp2",
  log: "Math.log",
  log2: "Math.log2",
  sqrt: "Math.sqrt",
  inverseSqrt: "1/Math.sqrt",
  sin: "Math.sin",
  cos: "Math.cos",
  tan: "Math.tan",
  tanh: "Math.tanh",
  sinh: "Math.sinh",
  cosh: "Math.cosh",
  asin: "Math.asin",
  acos: "Math.acos",
  atan: "Math.atan",
  asinh: "Math.asinh",
  acosh: "Math.acosh",
  atanh: "Math.atanh",
  abs: "Math.abs",
  sign: "Math.sign",
  fract: "fract",
  saturate: "saturate",
  degrees: "",
  radians: "",
  quantizeToF16: "",
  dpdx: "",
};
export const unaryInt = {
  countOneBits: "countOneBits",
  countLeadingZeros: "Math.clz32",
  firstLeadingBit: "31-Math.clz32",
  firstTrailingBit: "firstTrailingBit",
  reverseBits: "",
};
export const binaryCalls = {
  min: "Math.min",
  max: "Math.max",
  pow: "Math.pow",
  atan2: "Math.atan2",
  step: "stepOf",
  ldexp: "ldexp",
};
export const ternaryCalls = {
  fma: (a, b, c) => `(${a}*${b}+${c})`,
  clamp: (a, b, c) => `Math.min(Math.max(${a},${b}),${c})`,
  mix: (a, b, c) => `(${a}+(${b}-${a})*${c})`,
  smoothstep: (a, b, c) => `saturate((${c}-${a})/(${b}-${a}))`,
};
export const helpers = {
  toInt: (x) => (x >= 2147483647 ? 2147483647 : x <= -2147483648 ? -2147483648 : Math.trunc(x) | 0),
  toUint: (x) => (x >= 4294967295 ? 4294967295 : x > 0 ? Math.trunc(x) >>> 0 : 0),
  exp2: (x) => 2 ** x,
  fract: (x) => x - Math.floor(x),
  saturate: (x) => Math.min(1, Math.max(0, x)),
  stepOf: (a, b) => (b >= a ? 1 : 0),
  ldexp: (a, b) => a * 2 ** b,
  roundEven: (x) => {
    const r = Math.round(x);
    return r - x === 0.5 && r % 2 !== 0 ? r - 1 : r;
  },
  countOneBits: (x) => {
    let n = 0;
    for (x >>>= 0; x; x &= x - 1) n++;
    return n;
  },
  firstTrailingBit: (x) => (x ? 31 - Math.clz32(x & -x) : -1),
};
const cast = { f: new Float32Array(1) };
cast.i = new Int32Array(cast.f.buffer);
cast.u = new Uint32Array(cast.f.buffer);
helpers.bits = (to, from, x) => {
  cast[from[0]][0] = x;
  return cast[to[0]][0];
};
helpers.any = (mask) => {
  for (let l = 0; l < mask.length; l++) if (mask[l]) return true;
  return false;
};
