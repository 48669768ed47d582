// What every control for one row of an input can do.
export interface Control {
  readonly node: HTMLElement;
  /** One row, in row-major order; undefined where what is written there is none. */
  value(): ArrayLike<number> | undefined;
  /** Shows a row. */
  fill(values: ArrayLike<number>): void;
  /** What was typed, as far as the model reads such. */
  text?(): string;
  /** Takes note of what many rows have in common. */
  learn?(values: ArrayLike<number>): void;
}
