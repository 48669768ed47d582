// Names of things in a program, as identifiers of WGSL.

/** Keywords, reserved words and the predeclared names that kernels use (WGSL, sections 16.1, 16.2 and 17). */
const taken = new Set(
  (
    "alias break case const const_assert continue continuing default diagnostic discard else enable false fn for if let loop override requires return struct switch true var while " +
    "NULL Self abstract active alignas alignof as asm asm_fragment async attribute auto await become cast catch class co_await co_return co_yield coherent column_major common compile compile_fragment concept " +
    "const_cast consteval constexpr constinit crate debugger decltype delete demote demote_to_helper do dynamic_cast enum explicit export extends extern external fallthrough filter final finally friend from fxgroup " +
    "get goto groupshared highp impl implements import inline instanceof interface layout lowp macro macro_rules match mediump meta mod module move mut mutable namespace new nil noexcept noinline nointerpolation " +
    "non_coherent noncoherent noperspective null nullptr of operator package packoffset partial pass patch pixelfragment precise precision premerge priv protected pub public readonly ref regardless register " +
    "reinterpret_cast require resource restrict self set shared sizeof smooth snorm static static_assert static_cast std subroutine super target template this thread_local throw trait try type typedef typeid " +
    "typename typeof union unless unorm unsafe unsized use using varying virtual volatile wgsl where with writeonly yield " +
    "array atomic bool f16 f32 i32 u32 vec2 vec3 vec4 vec2f vec3f vec4f vec2i vec3i vec4i vec2u vec3u vec4u mat2x2 mat3x3 mat4x4 ptr sampler texture " +
    "abs acos all any asin atan atan2 ceil clamp cos cosh cross degrees determinant distance dot exp exp2 floor fma fract length log log2 max min mix normalize pow radians reflect round saturate select sign sin sinh smoothstep sqrt step tan tanh transpose trunc " +
    "buffer index input output uniform storage workgroup private function read write main group local"
  ).split(" "),
);

/** A snake_case identifier close to this text. */
export function wgslName(text: string): string {
  const name = text
    .replace(/[^A-Za-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "")
    .replace(/_+/g, "_")
    .toLowerCase();
  return /^[a-z]/.test(name) ? name : `k${name}`;
}
/** The same where it is free to use, with a `_` after it where WGSL has taken it. */
export const freeName = (text: string): string => {
  const name = wgslName(text);
  // helpers of the prelude, sizes of the run
  return taken.has(name) || /^(dlm|dim)_/.test(name) ? `${name}_` : name;
};
export { overrideName as dimName } from "../../runtime/plan.ts";
/** The last part of a name: what the value of `net_linear1_w` is called. */
export const shortName = (name: string): string => /([a-z]+\d*)_?$/i.exec(name)?.[1] ?? name;
/** A name without the `_` that keeps it off WGSL's own. */
export const stemOf = (name: string): string => (name.endsWith("_") ? name.slice(0, -1) : name);
/** Of one line, whatever the text: names of files may hold what ends a line in WGSL, and so what follows it would be code. The same holds for JavaScript. */
export const lineComment = (text: string): string => `// ${text.replace(/[\n\v\f\r\x85\u2028\u2029]/g, " ")}`;
