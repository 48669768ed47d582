// What a page shows of a text, as plain data with places in the text: problems, calls, stages, drawings. In: nothing. Out: types.
/** A place of the text, and the instance whose call it is: `net.linear2`. */
export type Mark = readonly [start: number, end: number, path: string];
export interface Problem {
  readonly code: string;
  readonly file?: string; // that the text imports, as it calls it: the place is there
  readonly severity: "error" | "warning" | "hint";
  readonly start: number;
  readonly end: number;
  readonly message: string;
  readonly notes: readonly string[];
  readonly hint?: string;
  readonly labels: readonly { readonly start: number; readonly end: number; readonly text: string }[];
  readonly fixes: readonly Fix[];
}
/** A change of the text that answers a problem. */
export interface Fix {
  readonly title: string;
  readonly edits: readonly { readonly start: number; readonly end: number; readonly text: string }[];
}
export interface CallNode {
  readonly kind: string;
  readonly callee: string;
  readonly path: string;
  readonly mark: Mark;
  readonly inputs: readonly { readonly name: string; readonly type: string }[];
  readonly output: string;
  readonly parameters: number; // of the instance, those within included
  readonly calls: readonly CallNode[];
}
/** What a front end knows, also beside errors. */
export interface Checked {
  readonly problems: readonly Problem[];
  readonly calls: readonly CallNode[];
  readonly inlays: readonly { readonly offset: number; readonly text: string }[]; // shapes behind the steps of pipes
  readonly elsewhere?: number; // errors of the model where another of its files is edited
  readonly milliseconds: number;
}
export interface Hover {
  readonly start: number;
  readonly end: number;
  readonly type: string;
  readonly value?: string;
  readonly doc?: string;
  readonly call: string;
  readonly others: readonly string[];
  readonly alsoNamed: readonly string[];
}
export interface Suggestion {
  readonly name: string;
  readonly kind: string;
  readonly text: string;
  readonly doc?: string;
  readonly start: number; // of what is replaced
}
/** A thing of a stage: a formula, a kernel, a launch, a buffer. Numbers index the stage's `marks`. */
export interface Item {
  readonly text: string;
  readonly at: readonly number[]; // whose it is
  readonly around: readonly number[]; // the calls around those
  readonly latex?: string;
}
export interface Section {
  readonly name: string;
  readonly items: readonly Item[];
}
export interface StageText {
  readonly marks: readonly Mark[];
  readonly sections: readonly Section[];
  readonly first: string; // the section to begin with
}
export interface GraphNode {
  readonly name: string;
  readonly about: string; // type and operation
  readonly kind: "given" | "parameter" | "value" | "goal";
  readonly reads: readonly number[];
  readonly at: readonly number[];
  readonly around: readonly number[];
}
export interface DrawnGraph {
  readonly marks: readonly Mark[];
  readonly graphs: readonly { readonly name: string; readonly nodes: readonly GraphNode[] }[];
}
export interface Launch {
  readonly name: string;
  readonly does: string;
  readonly flops: number;
  readonly workgroups: string;
  readonly at: readonly number[];
  readonly around: readonly number[];
}
export interface Tensor {
  readonly label: string;
  readonly buffer: string;
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
  readonly at: readonly number[];
  readonly around: readonly number[];
}
/** What runs when, and which memory is alive meanwhile. */
export interface Timeline {
  readonly marks: readonly Mark[];
  readonly programs: readonly {
    readonly name: string;
    readonly launches: readonly Launch[]; // in the order of the dispatches
    readonly steps: number;
    readonly tensors: readonly Tensor[];
    readonly sharedBytes: number;
    readonly apartBytes: number;
    readonly oneLaunch: boolean;
  }[];
  readonly kept: readonly { readonly name: string; readonly kind: string; readonly type: string }[];
}
/** Arithmetic of one training step, by the place of a call. */
export interface Costs {
  readonly flops: Readonly<Record<string, number>>; // by `start end path`
  readonly total: number;
  readonly parameters: number;
  readonly kernels: number;
  readonly launches: number;
}
export interface Compiled {
  readonly ok: boolean;
  readonly milliseconds: number;
  readonly costs?: Costs;
}
export type StageName = "formulas" | "simplified" | "fused" | "schedule" | "wgsl" | "trainer";
export const stageNames: readonly StageName[] = ["formulas", "simplified", "fused", "schedule", "wgsl", "trainer"];
