// What a stage of `dlm inspect` shows: by program, by kernel, or as one.
/** One named thing of a stage. */
export interface Part {
  readonly name: string;
  readonly text: () => string;
  readonly json: () => unknown;
  readonly dot?: () => string;
}
