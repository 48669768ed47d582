// How much a function does, counted: calls of the methods of maps and sets, and the elements that array methods go through. The same on every machine.
const single = { Map: ["get", "set", "has"], Set: ["has", "add"] } as const;
const whole = "concat every filter find findIndex flatMap forEach includes indexOf join map reduce some sort".split(
  " ",
);

export function workOf(run: () => void): number {
  let work = 0;
  const undo: (() => void)[] = [];
  const patch = (of: object, name: string, cost: (of: readonly unknown[]) => number): void => {
    const methods = of as Record<string, (...args: unknown[]) => unknown>;
    const own = methods[name]!;
    methods[name] = function (this: readonly unknown[], ...args) {
      work += cost(this);
      return own.apply(this, args);
    };
    undo.push(() => (methods[name] = own));
  };
  for (const name of single.Map) patch(Map.prototype, name, () => 1);
  for (const name of single.Set) patch(Set.prototype, name, () => 1);
  for (const name of whole) patch(Array.prototype, name, (list) => list.length);
  try {
    run();
  } finally {
    for (const f of undo.reverse()) f();
  }
  return work;
}
