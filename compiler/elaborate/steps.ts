// Work in steps, between which something else may be done, or which nobody wants any more. In: steps. Out: what they come to.
export type Steps<T> = Generator<undefined, T>;

export function finished<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
