// What expressions stand for (Value), where names are bound (Scope), what is around an expression (Context), and what all programs made from one file
// share (Interpreter). These refer to one another, so they stand together. Files of expressions import this one and not one another's evaluation:
// `evaluate` and `apply` reach the interpreter, which knows all of them, through the context.
import type * as ast from "../../grammar/ast.ts";
import type { Diagnostic, Span } from "../../grammar/diagnostic.ts";
import type { Loader } from "../../runtime/plan.ts";
import type { Origin } from "../graph/origin.ts";
import { integer } from "../graph/scalar.ts";
import type { Extent, Integer, Node, Scalar, Shape, Source } from "../graph/types.ts";
import type { StableForms } from "./derivatives.ts";
import { twice, unknownName } from "./errors.ts";

export type Value =
  | { readonly kind: "number"; readonly value: number; readonly whole: boolean } // adapts to f32 or i32
  | { readonly kind: "int"; readonly value: Integer } // symbolic whole number: dims, loop indices, step; adapts too
  | { readonly kind: "ratio"; readonly numerator: Integer; readonly divisor: number } // an int divided truly
  | { readonly kind: "bool"; readonly value: boolean } // known at compile time
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "pattern"; readonly pattern: ast.AxisPattern; readonly text: string }
  | { readonly kind: "tensor"; readonly node: Node }
  | { readonly kind: "scalar"; readonly scalar: Scalar } // an element, inside index notation
  | { readonly kind: "tuple"; readonly elements: readonly Value[] }
  | { readonly kind: "list"; readonly elements: readonly Value[] }
  | { readonly kind: "range"; readonly low: Integer; readonly end: Integer }
  | Callable
  | {
      readonly kind: "instance";
      readonly instance: Instance;
      readonly values?: ReadonlyMap<Source, Node>;
      readonly frozen?: boolean;
    }
  | { readonly kind: "gradient"; readonly instance: Instance; readonly values: ReadonlyMap<Source, Node> } // one value per parameter
  | Distribution
  | { readonly kind: "optimizers"; readonly chain: readonly OptimizerValue[] }
  | { readonly kind: "loader"; readonly loader: Loader; readonly span: Span }
  | { readonly kind: "dataset"; readonly name: string }
  | { readonly kind: "train"; readonly name: string }
  | { readonly kind: "deferred"; readonly run: (ctx: Context) => Value } // an initialiser before its parameter is known
  | { readonly kind: "lazy"; readonly force: () => Value };
/** What holds one value for every parameter of an instance. */
export type Bundle = Extract<Value, { kind: "instance" | "gradient" }>;
export type Callable =
  | { readonly kind: "fn"; readonly declaration: ast.Fn | ast.Init; readonly scope: Scope }
  | { readonly kind: "lambda"; readonly params: readonly ast.Name[]; readonly body: ast.Expr; readonly scope: Scope }
  | { readonly kind: "builtin"; readonly name: string }
  | {
      readonly kind: "shaped"; // reshape[..], expand[..]
      readonly name: string;
      readonly of: (x: Node, shape: Shape, span: Span) => Node;
      readonly dims: readonly ast.IndexExpr[];
      readonly scope: Scope;
    }
  | { readonly kind: "layer"; readonly declaration: ast.LayerDeclaration; readonly scope: Scope }
  | { readonly kind: "optimizer"; readonly declaration: ast.OptimizerDeclaration; readonly scope: Scope }
  | { readonly kind: "stacked"; readonly apply: (input: Value, span: Span) => Value }
  | { readonly kind: "composed"; readonly first: Value; readonly second: Value };
export interface Distribution {
  readonly kind: "distribution";
  readonly base: "uniform" | "normal" | "bernoulli" | "randint";
  readonly a: Value; // lo, mean, p
  readonly b: Value; // hi, std
  readonly scale: Value; // then * scale + offset
  readonly offset: Value;
}
export interface OptimizerValue {
  readonly declaration: ast.OptimizerDeclaration;
  readonly scope: Scope; // hyper-parameters bound
  readonly name: string;
}
/** A layer or model with its own parameters and state. */
export interface Instance {
  readonly path: string;
  readonly declaration: ast.Fn | ast.LayerDeclaration | ast.ModelDeclaration | ast.OptimizerDeclaration | ast.Train;
  scope: Scope; // of the declaration, with hyper-parameters bound
  readonly parameters: Map<string, Source>;
  readonly states: Map<string, Source>;
  readonly children: Map<string, Instance>; // by constructor's place and stack position
  readonly names: Map<string, Value>; // what its body bound, reached by path
  readonly siteNames: Map<Span, string>; // by the place of the constructor
  readonly taken: Set<string>;
  readonly uses: Set<Instance>; // models that it applies
  pass: number; // in which the scope was made
  applied: boolean; // anywhere yet: before that, its parameters are not known
  /** The fewest parameters that a line found, and members that it did not find. Where there are more at the end, the file is read again. */
  readonly asked: { parameters: number; readonly missing: Set<string> };
  readonly copies: Map<string, InstanceState>; // states that hold a layer's parameters
}

/** State that holds a layer's parameters, `state smooth = net`: one state for every parameter, begun as the parameter is. */
export interface InstanceState {
  readonly instance: Instance;
  readonly held: ReadonlyMap<Source, Source>; // by parameter
}
/** What the parameters that a scope binds declare: the axes that `...S` stands for, and the dims of each type. */
export interface Declares {
  readonly spreads: Map<string, Shape>;
  readonly types: ReadonlyMap<string, readonly ast.DimExpr[]>; // by parameter
}
/** Names: a chain of frames, the last one the declarations of a file. */
export class Scope {
  readonly parent: Scope | undefined;
  declares: Declares | undefined; // once all parameters are bound
  private readonly values = new Map<string, { value: Value; span?: Span | undefined }>();
  constructor(parent?: Scope) {
    this.parent = parent;
  }
  /** Binds a name; `span` is given where binding twice in one block is an error. */
  bind(name: string, value: Value, span?: Span): void {
    if (name === "_") return;
    const before = this.values.get(name);
    if (before?.span && span) throw twice(span, name, before.span);
    this.values.set(name, { value, span });
  }
  own(name: string): Value | undefined {
    return this.values.get(name)?.value;
  }
  isWithin(outer: Scope): boolean {
    for (let at: Scope | undefined = this; at; at = at.parent) if (at === outer) return true;
    return false;
  }
  find(name: string): Value | undefined {
    for (let at: Scope | undefined = this; at; at = at.parent) {
      const found = at.values.get(name);
      if (found) return found.value.kind === "lazy" ? found.value.force() : found.value;
    }
    return undefined;
  }
  get(name: string, span: Span): Value {
    const found = this.find(name);
    if (!found) throw unknownName(span, name, this.names());
    return found;
  }
  /** What functions and layers around declare, the innermost first. */
  *declarations(): Iterable<Declares> {
    for (let at: Scope | undefined = this; at; at = at.parent) if (at.declares) yield at.declares;
  }
  ownNames(): Iterable<string> {
    return this.values.keys();
  }
  *names(): Iterable<string> {
    for (let at: Scope | undefined = this; at; at = at.parent) yield* at.values.keys();
  }
}
export interface Argument {
  readonly name?: string;
  readonly nameSpan?: Span;
  readonly value: Value;
  readonly span: Span;
}
/** What differs between the programs made from one file. */
export interface Context {
  readonly interpreter: Interpreter;
  readonly training: boolean;
  readonly step: Integer; // of the draws
  readonly ambient: Scope; // training, step, batch, ... by program
  /** Values of parameters and states that differ from their sources: updated in a train block, or replaced by a bundle. */
  readonly current: Map<Source, Node>;
  /** Are states written here? */
  readonly writes: boolean;
  readonly instance: Instance | undefined;
  readonly frozen: boolean;
  readonly stackPosition: string; // part of the key of instances
  /** Loops around, outermost first: part of the element that a draw takes. */
  readonly rounds: readonly { readonly step: Integer; readonly count: number }[];
  readonly draws: { count: number; readonly path: string };
  readonly declared: "metric" | "fn" | undefined; // may not construct
  readonly params?: OptimizerParams; // inside an optimizer
  readonly element?: boolean; // inside `for` or a reducer, where every value is one element
  readonly mapped?: number; // `for`s around whose bodies are tensors
  readonly expected?: Expected;
  readonly carried?: Map<Source, CarriedState>; // in an evaluation: states of the batch's rows, which begin anew and go from batch to batch
  readonly updated?: readonly Updated[]; // parameters with new values at this line of a train block
  readonly generic?: Generic; // a declaration is checked on its own dims: parameters and states may have any shape, and are not kept
  readonly holds?: readonly Scalar[]; // conditions of the `where`s whose branch this is
  readonly trial?: boolean; // the ranges of a loop's carries are being found: indices are not checked
  /** What stands before brackets is computed for the ranges of its indices: what has been meanwhile, where the same text is read in the same scope. */
  readonly sizing?: Map<ast.Expr, { readonly scope: Scope; readonly value: Value }>;
}
/** A state of the rows of a batch, in an evaluation. */
export interface CarriedState {
  readonly before: Source; // input [rows, ...]: what the batch before left
  readonly value: Node; // of this batch: its first value, or what the batch before left
}
/** The shape that a `for` must give, by the type of what it is the value of. */
export interface Expected {
  readonly of: ast.Expr;
  readonly shape: readonly (Extent | undefined)[];
}
/** What a declaration reaches that is checked on its own dims. */
export interface Generic {
  readonly applied: Set<ast.Item>; // the outermost first
  readonly right: Set<ast.Item>; // of these: have given a value
  readonly models: Map<ast.ModelDeclaration, Instance>; // that nothing else applies
}
/** A parameter's value before a `minimize` above, and where that stands. */
export interface Updated {
  readonly parameter: Source;
  readonly before: Node;
  readonly span: Span;
}
/** `sum over params: e`: the expression for every parameter of the line. */
export interface OptimizerParams {
  readonly each: (body: ast.Expr, scope: Scope) => Value[];
}
/** Outside of any instance, where nothing is trained or written. */
export function baseContext(interpreter: Interpreter, ambient: Scope, drawPath = ""): Context {
  return {
    interpreter,
    training: false,
    step: integer(0),
    ambient,
    current: new Map(),
    writes: false,
    instance: undefined,
    frozen: false,
    stackPosition: "",
    rounds: [],
    draws: { count: 0, path: drawPath },
    declared: undefined,
  };
}
/** One call: `scope` binds its inputs (and dims), an instance has its own parameters and hyper-parameters. */
export interface CallRecord {
  readonly origin: Origin;
  readonly declaration: ast.Fn | ast.Init | ast.LayerDeclaration | ast.ModelDeclaration;
  readonly scope: Scope;
  readonly result: Value;
  readonly instance: Instance | undefined;
}
/** A call of a function below the library, in the call `origin`. */
export interface BuiltinRecord {
  readonly name: string;
  readonly origin: Origin | undefined;
  readonly span: Span;
  readonly given: readonly Value[];
  readonly result: Value;
}
/** Is told of everything that is evaluated. */
export interface Log {
  readonly evaluated: (e: ast.Expr, value: Value, scope: Scope, ctx: Context) => void;
  readonly named: (name: ast.Name, value: Value, scope: Scope) => void;
  /** A call that has ended; `scope` binds what it was given. */
  readonly called: (
    origin: Origin,
    declaration: ast.Fn | ast.Init | ast.LayerDeclaration | ast.ModelDeclaration,
    scope: Scope,
    result: Value,
    instance: Instance | undefined,
  ) => void;
  readonly builtin: (name: string, span: Span, given: readonly Value[], result: Value) => void;
  /** So far. */
  readonly calls: readonly CallRecord[];
  readonly builtins: readonly BuiltinRecord[];
}
/** How many training rows a data set must have, and the index that asks for the most; the host checks it. */
export interface RowsRead {
  least: number;
  span: Span | undefined;
}
/** What all programs made from one file share. */
export interface Interpreter {
  readonly evaluate: (e: ast.Expr, scope: Scope, ctx: Context) => Value;
  readonly apply: (callee: Value, args: readonly Argument[], span: Span, ctx: Context, written: Span) => Value;
  readonly diagnostics: Diagnostic[];
  readonly log: Log | undefined; // what is known is kept where somebody will ask
  readonly seed: Source;
  readonly parameters: Map<string, { source: Source; initial: Node; span: Span }>;
  readonly states: Map<string, { source: Source; initial: Node; span: Span; kind: "state" | "optimizer" | "counter" }>;
  readonly models: Map<ast.ModelDeclaration, Instance>;
  readonly trains: Map<ast.Train, Instance>;
  readonly data: Map<string, (member: string, span: Span) => Value>; // columns over the rows of training
  readonly rowsRead: Map<Scalar, RowsRead>; // by the number of training rows of each data set, where only the run knows it
  readonly sites: Map<Span, number>; // constructors by their place
  readonly madeBy: Map<Node, ast.Name>; // the model that gave a value, told in messages
  readonly forms: StableForms;
  readonly calls: ast.Item[]; // running, to find recursion
  readonly applied: Set<ast.Item>; // functions, layers and models
  /** The file is read again where instances were asked for parameters that were made further below. */
  readonly pass: { number: number };
  readonly work: { calls: number }; // all calls so far: functions are inlined, so calls of calls may double
}
/** The value of an expression. */
export const evaluate = (e: ast.Expr, scope: Scope, ctx: Context): Value => ctx.interpreter.evaluate(e, scope, ctx);
/** What a callable gives for these arguments. `written`: where it stands, without the arguments before a `|>`. */
export const apply = (
  callee: Value,
  args: readonly Argument[],
  span: Span,
  ctx: Context,
  written: Span = span,
): Value => ctx.interpreter.apply(callee, args, span, ctx, written);
