// A compilation is over in a second or two: V8 would optimise code for longer than it then runs. In: the version of V8. Out: the flag by which only what
// stays hot is optimised; none for versions that were not looked at, since V8 prints an error about a flag that it does not know.
export function optimiserFlag(v8: string): string | undefined {
  const major = Number(v8.split(".")[0]);
  if (major < 12) return "--interrupt-budget=1000000"; // Node 20
  return major <= 14 ? "--invocation-count-for-turbofan=45000" : undefined; // Node 22 to 26
}
