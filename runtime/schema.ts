// What a plan looks like, field by field, for plans that come from outside. The types of plan.ts hold these checks to them: a field that is missing here,
// or is no field, does not compile.
import type {
  Alternatives,
  Command,
  Copy,
  Dispatch,
  Launch,
  Loader,
  Loop,
  Often,
  Plan,
  PlanColumn,
  PlanDataset,
  PlanEdit,
  PlanEvaluation,
  PlanFieldCheck,
  PlanFieldView,
  PlanModule,
  PlanPort,
  PlanProgram,
  PlanSize,
  PlanSubgroups,
  PlanTrain,
  Size,
  WorkgroupCount,
} from "./plan.ts";

/** The path to what is no T, ".steps" or "[3].kind"; "" for the value itself; undefined where all is well. */
interface Check<T> {
  (x: unknown): string | undefined;
  readonly of?: (x: T) => T; // for the type alone
}
interface Maybe<T> extends Check<T> {
  readonly maybe: true;
}
type Fields<T> = {
  readonly [K in keyof T]-?: Partial<Pick<T, K>> extends Pick<T, K> ? Maybe<Required<T>[K]> : Check<T[K]>;
};

const is =
  <T>(test: (x: unknown) => boolean): Check<T> =>
  (x) =>
    test(x) ? undefined : "";
const optional = <T>(check: Check<T>): Maybe<T> => Object.assign((x: unknown) => check(x), { maybe: true as const });
const isRecord = (x: unknown): x is Readonly<Record<string, unknown>> =>
  typeof x === "object" && x !== null && !Array.isArray(x);
function object<T>(fields: Fields<T>): Check<T> {
  const entries = Object.entries<(x: unknown) => string | undefined>(fields);
  return (x) => {
    if (!isRecord(x)) return "";
    for (const [key, check] of entries) {
      if (x[key] === undefined && "maybe" in check) continue;
      const fault = check(x[key]);
      if (fault !== undefined) return `.${key}${fault}`;
    }
    return undefined;
  };
}
function list<T>(check: Check<T>): Check<readonly T[]> {
  return (x) => {
    if (!Array.isArray(x)) return "";
    for (const [i, item] of x.entries()) {
      const fault = check(item);
      if (fault !== undefined) return `[${i}]${fault}`;
    }
    return undefined;
  };
}
const pair =
  <A, B>(first: Check<A>, second: Check<B>): Check<readonly [A, B]> =>
  (x) =>
    Array.isArray(x) && x.length === 2 ? (first(x[0]) ?? second(x[1])) : "";
/** One or the other. Where it is neither, the place is that within the first. */
const either =
  <A, B>(first: Check<A>, second: Check<B>): Check<A | B> =>
  (x) => {
    const fault = first(x);
    return fault === undefined || second(x) === undefined ? undefined : fault;
  };
/** One of several kinds of record, told apart by `kind`. */
function kinds<T extends { readonly kind: string }>(checks: {
  readonly [K in T["kind"]]: Check<Extract<T, { readonly kind: K }>>;
}): Check<T> {
  const known = new Map(Object.entries<(x: unknown) => string | undefined>(checks));
  return (x) => {
    const check = isRecord(x) && typeof x["kind"] === "string" ? known.get(x["kind"]) : undefined;
    return check ? check(x) : ".kind";
  };
}
const word = <T extends string>(...words: readonly T[]): Check<T> => is((x) => words.includes(x as T));
const number = (test: (x: number) => boolean): Check<number> => is((x) => typeof x === "number" && test(x));

const text: Check<string> = is((x) => typeof x === "string");
const flag: Check<boolean> = is((x) => typeof x === "boolean");
const finite = number(Number.isFinite);
const whole = number(Number.isSafeInteger);
const count = number((x) => Number.isSafeInteger(x) && x >= 0);
const atLeastOne = number((x) => Number.isSafeInteger(x) && x >= 1);
const words = number((x) => Number.isSafeInteger(x) && x >= 0 && x % 4 === 0);
const names = list(text);
const open: Check<Exclude<Size, number>> = object({ sum: list(object({ factor: whole, dims: names })) });
const size: Check<Size> = either(count, open);
const shape = list(size);
const range: Check<readonly [number, number]> = pair(finite, finite);
const placed = { buffer: count, offset: words };
const place: Check<{ readonly buffer: number; readonly offset: number }> = object(placed);
const dtype = word("f32", "i32", "bool");
const workgroups: Check<WorkgroupCount> = either(
  either(count, word("fold")),
  object<Exclude<WorkgroupCount, number | string>>({ tiles: list(pair(size, atLeastOne)) }),
);

const binding = object<Dispatch["bindings"][number]>({
  binding: number((x) => Number.isSafeInteger(x) && x >= 0 && x < 1000), // WebGPU's own limit
  buffer: count,
  offset: number((x) => Number.isSafeInteger(x) && x >= 0 && x % 256 === 0),
  bytes: size,
  access: word("read", "read_write", "uniform"),
});
/** A check that calls itself, so deep and no deeper. */
function nested<T>(check: Check<T>, most: number): Check<T> {
  let depth = 0;
  return (x) => {
    if (depth === most) return "";
    depth++;
    const fault = check(x);
    depth--;
    return fault;
  };
}
const mostLoops = 64; // one within the other
const launch: Fields<Launch> = {
  kind: word("dispatch"),
  label: text,
  module: count,
  entry: text,
  constants: optional(names),
  bindings: list(binding),
  workgroups: pair(workgroups, workgroups),
  flops: optional(size),
  lines: optional(names),
};
const way = object<Alternatives["ways"][number]>({ schedule: text, dispatches: list(object(launch)) });
const command: Check<Command> = kinds<Command>({
  dispatch: object<Dispatch>({
    ...launch,
    alternatives: optional(object<Alternatives>({ key: text, parts: count, schedule: text, ways: list(way) })),
  }),
  copy: object<Copy>({ kind: word("copy"), from: optional(place), to: place, bytes: size }),
  loop: object<Loop>({
    kind: word("loop"),
    count,
    reverse: flag,
    stepBuffer: count,
    body: nested(
      list<Command>((x) => command(x)),
      mostLoops,
    ),
  }),
});
const program = object<PlanProgram>({
  name: text,
  dims: list(object<PlanProgram["dims"][number]>({ name: text, at_most: optional(atLeastOne) })),
  sizes: optional(list(object<PlanSize>({ size, text, signed: optional(flag) }))),
  commands: list(command),
});
const port = object<PlanPort>({
  name: text,
  dtype,
  shape,
  range: optional(pair(finite, either(finite, size))),
  ...placed,
  optional: optional(finite),
});

const csvColumns = either(
  list(either(count, text)),
  object<{ readonly from: number; readonly to: number }>({ from: count, to: count }),
);
const textFile = { path: text, unit: word("character", "word", "number"), most: optional(atLeastOne) };
const lineFile = { ...textFile, pad: atLeastOne, longer: optional(word("cut")) };
const loader: Check<Loader> = kinds<Loader>({
  csv: object<Extract<Loader, { readonly kind: "csv" }>>({
    kind: word("csv"),
    path: text,
    columns: csvColumns,
    header: optional(flag),
    delimiter: optional(is((x) => typeof x === "string" && x.length === 1)),
    missing: optional(either(finite, word("drop"))),
  }),
  npy: object({ kind: word("npy"), path: text }),
  idx: object({ kind: word("idx"), path: text }),
  windows: object<Extract<Loader, { readonly kind: "windows" }>>({
    kind: word("windows"),
    ...textFile,
    window: atLeastOne,
    stride: optional(atLeastOne),
  }),
  lines: object<Extract<Loader, { readonly kind: "lines" }>>({ kind: word("lines"), ...lineFile }),
  line_lengths: object<Extract<Loader, { readonly kind: "line_lengths" }>>({ kind: word("line_lengths"), ...lineFile }),
  images: object<Extract<Loader, { readonly kind: "images" }>>({
    kind: word("images"),
    path: text,
    resize: optional(is((x) => x === true)),
  }),
  image_class: object({ kind: word("image_class"), path: text }),
  host: object({ kind: word("host"), name: text }),
  inline: object({ kind: word("inline"), values: list(finite) }),
});
const column = object<PlanColumn>({
  name: text,
  loader,
  storage: word("f32", "i32", "bool", "u8"),
  shape: list(atLeastOne),
  range: optional(range),
  buffer: count,
  place: text,
});
const dataset = object<PlanDataset>({
  name: text,
  columns: list(column),
  rows: optional(atLeastOne),
  holdouts: list(
    object<PlanDataset["holdouts"][number]>({
      name: text,
      fraction: optional(number((x) => x >= 0 && x <= 1)),
      dataset: optional(text),
      place: text,
    }),
  ),
  windowed: flag,
  training: optional(place),
  least: optional(object({ rows: atLeastOne, place: text })),
  streamable: optional(flag),
  check: optional(
    object<PlanFieldCheck>({
      program,
      chunk: atLeastOne,
      index: place,
      seed: optional(place),
      fields: list(object({ name: text, range, at: port, value: port, place: text })),
    }),
  ),
  view: optional(object<PlanFieldView>({ program, index: place, seed: optional(place), fields: list(port) })),
});
const mode = word("min", "max");
const often: Check<Often> = either(
  object<Extract<Often, { readonly seconds: number }>>({ seconds: number((x) => Number.isFinite(x) && x > 0) }),
  either(
    object<Extract<Often, { readonly steps: number }>>({ steps: atLeastOne }),
    either(object<Extract<Often, { readonly epochs: number }>>({ epochs: atLeastOne }), word("off")),
  ),
);
const train = object<PlanTrain>({
  name: text,
  dataset: optional(text),
  batch: atLeastOne,
  accumulate: atLeastOne,
  shuffle: flag,
  seed: whole,
  epochs: optional(number((x) => Number.isFinite(x) && x > 0)),
  steps: optional(atLeastOne),
  init: program,
  begin: optional(program),
  step: program,
  rounds: optional(place),
  window: atLeastOne,
  batchIndex: optional(place),
  ring: object({ ...placed, columns: names }),
  stepCounter: text,
  scalars: list(port),
  evaluate: optional(
    object<PlanEvaluation>({
      chunk: atLeastOne,
      rows: program,
      index: place,
      part: optional(place),
      kept: list(object({ name: text, bytesPerRow: words, from: count, to: count })),
      carried: optional(
        object<NonNullable<PlanEvaluation["carried"]>>({
          begins: place,
          states: list(object({ bytesPerRow: words, from: count, to: count })),
        }),
      ),
      finish: program,
      metrics: list(port),
    }),
  ),
  evaluateEvery: optional(atLeastOne),
  sample: optional(atLeastOne),
  stop: optional(object<NonNullable<PlanTrain["stop"]>>({ metric: text, patience: atLeastOne, mode })),
  save: optional(object<NonNullable<PlanTrain["save"]>>({ metric: optional(text), mode, path: text })),
  load: optional(list(object<NonNullable<PlanTrain["load"]>[number]>({ path: text, into: optional(text) }))),
  checkpoint: optional(often),
  keep: optional(atLeastOne),
});
const plan = object<Plan>({
  version: finite,
  name: text,
  source: text,
  compiler: text,
  target: text,
  requires: object<Plan["requires"]>({
    features: names,
    limits: is((x) => isRecord(x) && Object.values(x).every((n) => Number.isFinite(n))),
    subgroupSize: optional(atLeastOne),
  }),
  buffers: list(
    object<Plan["buffers"][number]>({
      label: text,
      bytes: either(words, open),
      role: word("state", "scratch", "data", "input", "output", "constant", "steps"),
      data: optional(text),
    }),
  ),
  modules: list(
    object<PlanModule>({
      name: text,
      code: optional(text),
      subgroups: optional(
        object<PlanSubgroups>({
          lanes: atLeastOne,
          of: text,
          edits: list(object<PlanEdit>({ line: count, lines: count, text })),
        }),
      ),
    }),
  ),
  states: list(
    object<Plan["states"][number]>({
      name: text,
      kind: word("parameter", "state", "optimizer", "counter"),
      dtype,
      shape,
      range: optional(range),
      ...placed,
    }),
  ),
  datasets: list(dataset),
  init: optional(object<NonNullable<Plan["init"]>>({ program, seed: optional(place) })),
  trains: list(train),
  exports: list(object({ name: text, program, inputs: list(port), outputs: list(port) })),
});

/** Where the plan is not one, as "trains[0].step.commands[3].module"; undefined where it looks like one. */
export const firstFault = (x: unknown): string | undefined => plan(x)?.replace(/^\./, "");
