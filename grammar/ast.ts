// The abstract syntax tree: what the text says, with places, before any name is looked up.
// Every node is plain data and carries the span of its whole text. The grammar is in docs/language.md.
import type { SourceFile, Span } from "./diagnostic.ts";

export interface File {
  readonly kind: "file";
  readonly source: SourceFile;
  readonly items: readonly Item[];
  /** The text has errors: items are what could be read of it. */
  readonly incomplete?: true;
}

export interface Name {
  readonly text: string;
  readonly span: Span;
}

// ---- declarations

export type Item =
  Import | Const | Fn | LayerDeclaration | ModelDeclaration | Init | OptimizerDeclaration | Data | Train;

interface Declared {
  readonly span: Span;
  /** The text has errors here: statements may be left out, expressions be `missing`, names have no text. */
  readonly incomplete?: true;
  readonly doc?: string; // text of the `##` comment lines right before it, without the marks
}

export interface Import extends Declared {
  readonly kind: "import";
  readonly path: string;
}
export interface Const extends Declared {
  readonly kind: "const";
  readonly name: Name;
  readonly value: Expr;
}
export interface Fn extends Declared {
  readonly kind: "fn";
  readonly exported: boolean;
  readonly name: Name;
  readonly params: readonly Param[];
  readonly result?: Type;
  readonly body: Body;
}
export interface LayerDeclaration extends Declared {
  readonly kind: "layer";
  readonly name: Name;
  readonly hyper: readonly Param[];
  readonly params: readonly Param[];
  readonly result?: Type;
  readonly body: Body;
}
export interface ModelDeclaration extends Declared {
  readonly kind: "model";
  readonly name: Name;
  readonly params: readonly Param[];
  readonly result?: Type;
  readonly body: Body;
}
export interface Init extends Declared {
  readonly kind: "init";
  readonly name: Name;
  readonly params: readonly Param[];
  readonly body: Body;
}
export interface OptimizerDeclaration extends Declared {
  readonly kind: "optimizer";
  readonly name: Name;
  readonly hyper: readonly Param[];
  readonly params: readonly Param[];
  readonly result?: Type;
  readonly body: Body;
}
export interface Data extends Declared {
  readonly kind: "data";
  readonly name: Name;
  readonly statements: readonly DataStatement[];
}
export interface Train extends Declared {
  readonly kind: "train";
  readonly name: Name;
  readonly on?: Expr; // digits(batch: 64, seed: 1)
  readonly statements: readonly TrainStatement[];
}

export interface Param {
  readonly name: Name;
  readonly type?: Type;
  readonly default?: Expr;
  readonly byName?: true; // it stands behind `*`: arguments give it by name alone
  readonly span: Span;
}

// ---- types

export type Type = TensorType | TupleType;
/** `f32[B, T <= 512, ...S] in 0..10`; also `int`, `fn`, `dist`, `bool`, `int[2]`. No `dims` means no brackets. */
export interface TensorType {
  readonly kind: "tensor_type";
  readonly element: Name; // f32 i32 bool int fn dist
  readonly dims?: readonly DimExpr[];
  readonly range?: Expr; // after `in`: a range expression
  readonly span: Span;
}
export interface TupleType {
  readonly kind: "tuple_type";
  readonly elements: readonly Type[];
  readonly span: Span;
}
export type DimExpr =
  | { readonly kind: "spread"; readonly name: Name; readonly span: Span } // ...S
  | { readonly kind: "dim"; readonly value: Expr; readonly span: Span }; // B, 2 * D, T <= 512

// ---- bodies and statements

export type Body = { readonly kind: "expression"; readonly value: Expr } | Block;
export interface Block {
  readonly kind: "block";
  readonly statements: readonly Statement[];
  readonly span: Span;
}
export type Statement = ParamStatement | Let | State | Next | Yield | Return;
export interface ParamStatement {
  readonly kind: "param";
  readonly name: Name;
  readonly type: Type;
  readonly initial: Expr;
  readonly span: Span;
}
export interface Let {
  readonly kind: "let";
  readonly names: readonly Name[]; // one, or several when a tuple is taken apart
  readonly tuple: boolean; // written with parentheses
  readonly type?: Type;
  readonly value: Expr;
  readonly span: Span;
}
export interface State {
  readonly kind: "state";
  readonly name: Name;
  readonly type?: Type;
  readonly value: Expr;
  readonly span: Span;
}
export interface Next {
  readonly kind: "next";
  readonly assignments: readonly { readonly name: Name; readonly value: Expr }[];
  readonly span: Span;
}
export interface Yield {
  readonly kind: "yield";
  readonly value: Expr;
  readonly span: Span;
}
export interface Return {
  readonly kind: "return";
  readonly value: Expr;
  readonly span: Span;
}

export type DataStatement = Field | Holdout | Let | Setting;
export interface Field {
  readonly kind: "field";
  readonly name: Name;
  readonly type: Type;
  readonly value: Expr;
  readonly span: Span;
}
export interface Holdout {
  readonly kind: "holdout";
  readonly name: Name;
  readonly value: Expr;
  readonly span: Span;
}
export interface Setting {
  readonly kind: "setting"; // epochs: 20
  readonly name: Name;
  readonly value: Expr;
  readonly every?: { readonly unit?: Name; readonly span: Span }; // of `every 5 minutes`; `value` is the 5
  readonly span: Span;
}

export type TrainStatement = Let | State | Next | Minimize | Metric | Setting;
export interface Minimize {
  readonly kind: "minimize";
  readonly value: Expr;
  readonly clauses: readonly { readonly wrt?: Expr; readonly by: Expr; readonly every?: Expr; readonly span: Span }[];
  readonly span: Span;
}
export interface Metric {
  readonly kind: "metric";
  readonly name: Name;
  readonly every?: Name; // evaluation: in evaluations only
  readonly value: Expr;
  readonly span: Span;
}

// ---- expressions

export type BinaryOperator =
  | "|>"
  | ">>"
  | "or"
  | "and"
  | "=="
  | "!="
  | "<"
  | "<="
  | ">"
  | ">="
  | ".."
  | "+"
  | "-"
  | "*"
  | "/"
  | "//"
  | "%"
  | "@"
  | "^";

export type Expr =
  | { readonly kind: "number"; readonly value: number; readonly text: string; readonly span: Span }
  | { readonly kind: "string"; readonly value: string; readonly span: Span }
  | { readonly kind: "pattern"; readonly pattern: AxisPattern; readonly text: string; readonly span: Span }
  | { readonly kind: "boolean"; readonly value: boolean; readonly span: Span }
  | { readonly kind: "name"; readonly text: string; readonly span: Span }
  | { readonly kind: "missing"; readonly span: Span } // where an expression should stand; only in what is incomplete
  | { readonly kind: "tuple"; readonly elements: readonly Expr[]; readonly span: Span } // two or more
  | { readonly kind: "paren"; readonly value: Expr; readonly span: Span }
  | { readonly kind: "list"; readonly elements: readonly Expr[]; readonly span: Span }
  | { readonly kind: "unary"; readonly operator: "-" | "not"; readonly operand: Expr; readonly span: Span }
  | {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly left: Expr;
      readonly right: Expr;
      readonly span: Span;
    }
  | { readonly kind: "call"; readonly callee: Expr; readonly args: readonly Arg[]; readonly span: Span }
  | {
      readonly kind: "index";
      readonly operand: Expr;
      readonly indices: readonly IndexExpr[];
      readonly outside?: Expr;
      readonly span: Span;
    }
  | { readonly kind: "member"; readonly operand: Expr; readonly name: Name; readonly span: Span }
  | {
      readonly kind: "reduce";
      readonly reducer: Name;
      readonly binders: readonly Binder[];
      readonly body: Expr;
      readonly span: Span;
    }
  | { readonly kind: "for"; readonly binders: readonly Binder[]; readonly body: Expr; readonly span: Span }
  | { readonly kind: "lambda"; readonly params: readonly Name[]; readonly body: Expr; readonly span: Span }
  | { readonly kind: "if"; readonly condition: Expr; readonly then: Expr; readonly else: Expr; readonly span: Span }
  | { readonly kind: "stack"; readonly index?: Name; readonly count: Expr; readonly of: Expr; readonly span: Span } // `stack 6 of e`, `stack i in 0..6 of e`
  | Loop;

export interface Loop {
  readonly kind: "scan" | "fold";
  readonly iterators: readonly { readonly name: Name; readonly in: Expr; readonly along?: Expr; readonly span: Span }[];
  readonly carries: readonly { readonly name: Name; readonly value: Expr }[];
  readonly body: Block;
  readonly span: Span;
}

export interface Arg {
  readonly name?: Name;
  readonly value: Expr;
  readonly span: Span;
}

export type IndexExpr =
  | { readonly kind: "all"; readonly span: Span } // :
  | { readonly kind: "rest"; readonly name?: Name; readonly span: Span } // ...  or  ...S
  | { readonly kind: "at"; readonly value: Expr; readonly span: Span };

export type Binder =
  | { readonly kind: "rest"; readonly span: Span } // ...
  | { readonly kind: "binder"; readonly name: Name; readonly range?: Expr; readonly span: Span };

/** `b t (h d) -> b h t d`, or the inputs and output of an einsum. One list per operand; a group is in parentheses. */
export interface AxisPattern {
  readonly inputs: readonly (readonly PatternAxis[])[];
  readonly output: readonly PatternAxis[];
}
export type PatternAxis =
  | { readonly kind: "axis"; readonly name: string }
  | { readonly kind: "one" } // 1
  | { readonly kind: "rest" } // ...
  | { readonly kind: "group"; readonly axes: readonly PatternAxis[] };

// ---- walks, whatever the kinds

/** Anything with a place: an item, a statement, an expression, a name, a type. */
export interface Part {
  readonly kind?: string;
  readonly span: Span;
}
const expressionKinds: Readonly<Record<Expr["kind"], true>> = {
  number: true,
  string: true,
  pattern: true,
  boolean: true,
  name: true,
  missing: true,
  tuple: true,
  paren: true,
  list: true,
  unary: true,
  binary: true,
  call: true,
  index: true,
  member: true,
  reduce: true,
  for: true,
  lambda: true,
  if: true,
  stack: true,
  scan: true,
  fold: true,
};
export const isExpression = (x: Part): x is Expr => x.kind !== undefined && Object.hasOwn(expressionKinds, x.kind);
/** Names that bind or are bound: they have text and no kind. */
export const isName = (x: Part): x is Name => x.kind === undefined && "text" in x;

/** The parts right below a node or a list of nodes, in the order of the text. Lists and records without a place are looked through. */
export function partsOf(of: object): Part[] {
  const found: Part[] = [];
  for (const key in of) if (key !== "span" && key !== "source") addParts(of[key as keyof typeof of], found);
  return found;
}
function addParts(x: unknown, found: Part[]): void {
  if (typeof x !== "object" || x === null) return;
  if ("span" in x) found.push(x as Part);
  else for (const key in x) addParts(x[key as keyof typeof x], found);
}
/** Every part below, each before what is below it, in the order of the text. */
export function* below(root: object): Iterable<Part> {
  const stack = partsOf(root).reverse(); // trees may be deep
  for (let x = stack.pop(); x; x = stack.pop()) {
    yield x;
    stack.push(...partsOf(x).reverse());
  }
}
