// What is right by the rules but looks wrong: warnings and hints DLM25xx over the elaborated Program and the text. One function per check.
// A loss that is no single number (DLM2018) and data whose range is wider than a table (DLM2010) are errors, and not repeated here.
import type * as ast from "../../grammar/ast.ts";
import type { Diagnostic, Label, Severity, Span } from "../../grammar/diagnostic.ts";
import { topological } from "../graph/node.ts";
import { isCall, operandsOf } from "../graph/scalar.ts";
import type { Node, Scalar, Source } from "../graph/types.ts";
import type { Program, TrainProgram } from "./program.ts";

export function pedantic(program: Program, file: ast.File): Diagnostic[] {
  const found = checks.flatMap((check) => check(program, file));
  const seen = new Set<string>();
  return found.filter((d) => {
    const key = `${d.code} ${d.span.start} ${d.span.end}`;
    return seen.has(key) ? false : seen.add(key);
  });
}
const found = (
  severity: Severity,
  code: string,
  span: Span,
  message: string,
  hint: string,
  labels?: readonly Label[],
): Diagnostic => ({ code, severity, span, message, hint, ...(labels?.length ? { labels } : {}) });
const checks: readonly ((program: Program, file: ast.File) => Diagnostic[])[] = [
  unreachedParameters,
  dimsUsedOnce,
  constantMatrices,
  softmaxInCrossEntropy,
  unboundedSlopes,
  deepSigmoids,
  unusedFields,
  dropoutAtTheEnd,
  largeRates,
];

// ---------------------------------------------------------------- over the program

/** All sources below the nodes. */
const sourcesOf = (nodes: readonly Node[]): Set<Source> =>
  new Set(topological([...nodes]).filter((n): n is Source => n.kind === "source"));
const lossesOf = (t: TrainProgram): Node[] => t.objectives.map((o) => o.loss);

/** Parameters that no objective moves: never reached, or reached only where the slope is 0. Those of parts that are frozen, loaded or left to `wrt` are meant so. */
function unreachedParameters({ parameters, trains }: Program, file: ast.File): Diagnostic[] {
  if (!trains.length) return [];
  const moved = new Set(trains.flatMap((t) => t.groups.flatMap((g) => g.members.map((m) => m.parameter))));
  const stepped = sourcesOf(trains.flatMap(lossesOf));
  const frozen = expressions(file).flatMap((e) =>
    e.kind === "call" && e.callee.kind === "name" && e.callee.text === "frozen" && e.args[0]
      ? [text(e.args[0].value.span)]
      : [],
  );
  const meant = [...frozen, ...trains.flatMap((t) => t.load.flatMap((l) => l.into ?? []))];
  const chosen = trains.every((t) => minimizesOf(file, t.name).every((m) => m.clauses.every((c) => c.wrt)));
  return parameters.flatMap((p) => {
    if (moved.has(p.source) || !p.span || meant.some((m) => p.path === m || p.path.startsWith(`${m}.`))) return [];
    const owner = ownerSpan(file, p.path) ?? p.span;
    if (!stepped.has(p.source))
      return [
        found(
          "warning",
          "DLM2501",
          owner,
          `the parameter ${p.path} is in no objective, so training leaves it as it is drawn`,
          "use its layer in an objective, or leave it out",
        ),
      ];
    return chosen
      ? []
      : [
          found(
            "warning",
            "DLM2502",
            owner,
            `the parameter ${p.path} gets no gradient: it reaches the objective only where the slope is 0`,
            "comparisons, argmax, sign, round and stop pass no gradient; use a smooth form",
          ),
        ];
  });
}
/** The declaration in this file that holds the parameter: the model, or the train block. */
function ownerSpan(file: ast.File, path: string): Span | undefined {
  const [first] = path.split(".");
  const item = file.items.find((i) => (i.kind === "model" || i.kind === "train") && i.name.text === first);
  return item && item.kind !== "import" ? item.name.span : undefined;
}
const minimizesOf = (file: ast.File, train: string): ast.Minimize[] =>
  file.items.flatMap((i) =>
    i.kind === "train" && i.name.text === train ? i.statements.filter((s) => s.kind === "minimize") : [],
  );

/** A matrix whose elements all begin alike: its units stay alike. */
function constantMatrices({ parameters }: Program): Diagnostic[] {
  return parameters.flatMap((p) => {
    const { initial, source } = p;
    if (
      !p.span ||
      source.shape.length < 2 ||
      source.shape.some((n) => n === 1) ||
      initial.kind !== "compute" ||
      initial.body.kind !== "literal"
    )
      return [];
    return [
      found(
        "warning",
        "DLM2504",
        p.span,
        `all elements of ${p.path} begin as ${initial.body.value}, so its units stay alike`,
        "draw them: ~ normal(0, 0.02), or he_normal()",
      ),
    ];
  });
}

/** sqrt, log and division on the way to a gradient, of what depends on parameters and may be 0: their slope is unbounded there. */
function unboundedSlopes({ parameters, trains }: Program, file: ast.File): Diagnostic[] {
  const own = new Set(parameters.map((p) => p.source));
  const optimizers = file.items.filter((i) => i.kind === "optimizer").map((i) => i.span);
  const result: Diagnostic[] = [];
  for (const t of trains) {
    const order = topological(lossesOf(t));
    const depends = new Set<Node>();
    for (const n of order)
      if ((n.kind === "source" && own.has(n)) || inputsOf(n).some((x) => depends.has(x))) depends.add(n);
    const lower = lowerBounds();
    for (const n of order) {
      const { span } = n;
      if (
        n.kind !== "compute" ||
        !span ||
        span.file !== file.source ||
        optimizers.some((o) => span.start >= o.start && span.end <= o.end)
      )
        continue;
      for (const e of scalars(n.body)) {
        const risky =
          isCall(e, "sqrt") || isCall(e, "log") ? e.operands[0] : isCall(e, "div") ? e.operands[1] : undefined;
        if (!risky || !scalars(risky).some((x) => x.kind === "load" && depends.has(x.tensor)) || lower(risky) > 0)
          continue;
        const word = isCall(e, "div")
          ? "the division"
          : `\`${(e as { readonly fn: { readonly name: string } }).fn.name}\``;
        result.push(
          found(
            "warning",
            "DLM2506",
            span,
            `${word} here has an unbounded slope where its ${isCall(e, "div") ? "divisor" : "operand"} is 0`,
            isCall(e, "div")
              ? "keep the divisor away from 0: x / (y + 1e-8), or max(y, 1e-8)"
              : "add a small number: sqrt(x + 1e-9), log(x + 1e-9)",
          ),
        );
        break;
      }
    }
  }
  // the innermost place is the one to change
  return result.filter(
    (d) =>
      !result.some(
        (x) =>
          x !== d &&
          x.span.start >= d.span.start &&
          x.span.end <= d.span.end &&
          (x.span.start > d.span.start || x.span.end < d.span.end),
      ),
  );
}
const inputsOf = (n: Node): readonly Node[] =>
  n.kind === "compute"
    ? scalars(n.body).flatMap((e) => (e.kind === "load" ? [e.tensor] : []))
    : n.kind === "reshape"
      ? [n.operand]
      : n.kind === "source"
        ? []
        : topological([n]).filter((x) => x !== n);
function scalars(root: Scalar): Scalar[] {
  const seen = new Set<Scalar>();
  const queue = [root];
  while (queue.length) {
    const e = queue.pop()!;
    if (seen.has(e)) continue;
    seen.add(e);
    queue.push(...operandsOf(e));
  }
  return [...seen];
}
/** A number that an f32 scalar never falls below, by its formula; -Infinity where nothing is known. */
function lowerBounds(): (e: Scalar) => number {
  const known = new Map<Scalar, number>();
  const ofNode = new Map<Node, number>();
  const nodeBound = (n: Node, depth: number): number => {
    const before = ofNode.get(n);
    if (before !== undefined) return before;
    ofNode.set(n, -Infinity); // loops read themselves
    let bound = -Infinity;
    if (n.kind === "reshape") bound = nodeBound(n.operand, depth);
    else if (n.kind === "source") bound = n.range && typeof n.range.low === "number" ? n.range.low : -Infinity;
    else if (n.kind === "compute") {
      const body = of(n.body, depth);
      const op = n.reduction?.op;
      bound =
        op === undefined || op === "max" || op === "min"
          ? body
          : (op === "sum" || op === "prod") && body >= 0
            ? 0
            : op === "argmax" || op === "argmin"
              ? 0
              : -Infinity;
    }
    ofNode.set(n, bound);
    return bound;
  };
  const of = (e: Scalar, depth = 0): number => {
    const before = known.get(e);
    if (before !== undefined) return before;
    if (depth > 400) return -Infinity;
    const at = (i: number): number => of(operandsOf(e)[i]!, depth + 1);
    let bound = -Infinity;
    if (e.kind === "literal") bound = e.value;
    else if (e.kind === "load")
      bound = Math.min(nodeBound(e.tensor, depth + 1), e.outside ? of(e.outside, depth + 1) : Infinity);
    else if (e.kind === "select") bound = Math.min(of(e.then, depth + 1), of(e.otherwise, depth + 1));
    else if (e.kind === "call") {
      const [x, y] = e.operands;
      switch (e.fn.name) {
        case "add":
          bound = at(0) + at(1);
          break;
        case "mul":
          bound = x === y ? (at(0) > 0 ? at(0) ** 2 : 0) : at(0) >= 0 && at(1) >= 0 ? at(0) * at(1) : -Infinity;
          break;
        case "div":
          bound =
            at(0) > 0 && y!.kind === "literal" && y!.value > 0
              ? at(0) / y!.value
              : at(0) >= 0 && at(1) > 0
                ? 0
                : -Infinity;
          break;
        case "max":
          bound = Math.max(at(0), at(1));
          break;
        case "min":
          bound = Math.min(at(0), at(1));
          break;
        case "sqrt":
          bound = at(0) > 0 ? Math.sqrt(at(0)) : 0;
          break;
        case "exp":
          bound = at(0) > -80 ? Math.exp(at(0)) : Number.MIN_VALUE;
          break;
        case "log1p":
          bound = at(0) > -1 ? Math.log1p(at(0)) : -Infinity;
          break;
        case "abs":
          bound = Math.max(0, at(0));
          break;
        case "sigmoid":
          bound = 0;
          break;
        case "stop":
        case "to_f32":
          bound = at(0);
          break;
        case "tanh":
        case "sin":
        case "cos":
        case "sign":
        case "erf":
          bound = -1;
          break;
      }
      if (Number.isNaN(bound)) bound = -Infinity;
    } else if (e.kind === "affine" && e.terms.length === 0) bound = e.constant;
    known.set(e, bound);
    return bound;
  };
  return of;
}

// ---------------------------------------------------------------- over the text

const text = (s: Span): string => s.file.text.slice(s.start, s.end);
/** Everything below a node of the AST, places left out. */
function* below(root: unknown): Iterable<{ readonly kind?: string }> {
  const queue: unknown[] = [root];
  while (queue.length) {
    const x = queue.pop();
    if (typeof x !== "object" || x === null) continue;
    if (!Array.isArray(x)) yield x as { readonly kind?: string };
    for (const [key, value] of Object.entries(x))
      if (key !== "span" && key !== "operatorSpan" && key !== "source") queue.push(value);
  }
}
const expressionKinds = new Set([
  "number",
  "string",
  "pattern",
  "boolean",
  "name",
  "tuple",
  "paren",
  "list",
  "unary",
  "binary",
  "call",
  "index",
  "member",
  "reduce",
  "for",
  "lambda",
  "if",
  "stack",
  "scan",
  "fold",
]);
const expressions = (root: unknown): ast.Expr[] =>
  [...below(root)].filter((x): x is ast.Expr => x.kind !== undefined && expressionKinds.has(x.kind) && "span" in x);
const declares = (file: ast.File, ...names: readonly string[]): boolean =>
  file.items.some((i) => i.kind !== "import" && names.includes(i.name.text));
/** The value of a body: its expression, or what it returns. */
const valueOf = (b: ast.Body): ast.Expr | undefined =>
  b.kind === "expression" ? b.value : b.statements.find((s) => s.kind === "return")?.value;
/** The stages of a pipe, or the expression alone. */
function stages(e: ast.Expr): ast.Expr[] {
  if (e.kind === "paren") return stages(e.value);
  return e.kind === "binary" && e.operator === "|>" ? [...stages(e.left), e.right] : [e];
}
const callee = (e: ast.Expr): string | undefined =>
  e.kind === "name" ? e.text : e.kind === "call" && e.callee.kind === "name" ? e.callee.text : undefined;
const argument = (e: ast.Expr, name: string, position: number): ast.Expr | undefined =>
  e.kind === "call"
    ? (e.args.find((a) => a.name?.text === name)?.value ??
      (e.args[position]?.name ? undefined : e.args[position]?.value))
    : undefined;

/** A dim of several inputs that stands in the declaration once, or in the result only: mostly a slip of the pen. */
function dimsUsedOnce(_: Program, file: ast.File): Diagnostic[] {
  return file.items.flatMap((item) => {
    if (item.kind !== "fn" && item.kind !== "model" && item.kind !== "layer") return [];
    const uses = new Map<string, Span[]>();
    for (const e of expressions([item.kind === "layer" ? item.hyper : [], item.params, item.result, item.body]))
      if (e.kind === "name" && /^[A-Z]/.test(e.text)) uses.set(e.text, [...(uses.get(e.text) ?? []), e.span]);
    const dims = (t: ast.Type | undefined): string[] =>
      t
        ? [...below(t)]
            .flatMap((x) => (x.kind === "name" ? [(x as { readonly text: string }).text] : []))
            .filter((n) => /^[A-Z]/.test(n))
        : [];
    const given = new Set(item.params.flatMap((p) => dims(p.type)));
    const shaped = item.params.filter((p) => p.type?.kind === "tensor_type" && p.type.dims?.length).length;
    return [...uses].flatMap(([name, spans]) => {
      const inTypes = given.has(name) || dims(item.result).includes(name);
      if (spans.length !== 1 || !inTypes || (given.has(name) && shaped < 2)) return [];
      return [
        found(
          "hint",
          "DLM2503",
          spans[0]!,
          given.has(name)
            ? `the dim ${name} is used once, so it says nothing about the other inputs`
            : `the dim ${name} of the result is the size of no input`,
          "write the dim that it should equal, or its number",
        ),
      ];
    });
  });
}
/** cross_entropy takes logits; probabilities would go through softmax twice. */
function softmaxInCrossEntropy(_: Program, file: ast.File): Diagnostic[] {
  if (declares(file, "softmax", "cross_entropy")) return [];
  const endsInSoftmax = (e: ast.Expr, lets: ReadonlyMap<string, ast.Expr>, depth = 0): Span | undefined => {
    if (depth > 8) return undefined;
    const last = stages(e).at(-1)!;
    const act = argument(last, "act", Infinity);
    if (callee(last) === "softmax" || (act && callee(act) === "softmax")) return last.span;
    const name = callee(last);
    const bound = last.kind === "name" ? lets.get(last.text) : undefined;
    if (bound) return endsInSoftmax(bound, lets, depth + 1);
    const model = file.items.find((i) => i.kind === "model" && i.name.text === name);
    const value = model?.kind === "model" ? valueOf(model.body) : undefined;
    return value && endsInSoftmax(value, new Map(), depth + 1);
  };
  return file.items.flatMap((item) => {
    const lets = new Map(
      [...below(item)].flatMap((x) =>
        x.kind === "let" ? (x as ast.Let).names.map((n) => [n.text, (x as ast.Let).value] as const) : [],
      ),
    );
    return expressions(item).flatMap((e) => {
      if (e.kind !== "call" || callee(e) !== "cross_entropy" || !e.args[0]) return [];
      const softmax = endsInSoftmax(argument(e, "logits", 0) ?? e.args[0].value, lets);
      return softmax
        ? [
            found(
              "warning",
              "DLM2505",
              e.args[0].span,
              "cross_entropy takes logits, but these went through softmax already",
              "leave softmax out of the objective, and apply it in the export",
              softmax === e.args[0].span ? [] : [{ span: softmax, text: "softmax here" }],
            ),
          ]
        : [];
    });
  });
}
/** Many sigmoids on one another without normalisation: every one shrinks the gradient to a quarter at most. */
function deepSigmoids(_: Program, file: ast.File): Diagnostic[] {
  const deep = 4;
  const sigmoid = (e: ast.Expr): boolean =>
    callee(e) === "sigmoid" ||
    expressions(argument(e, "act", Infinity)).some((a) => a.kind === "name" && a.text === "sigmoid");
  return file.items.flatMap((item) => {
    if (item.kind !== "model" && item.kind !== "layer") return [];
    return expressions(item.body)
      .flatMap((e) => {
        if (e.kind !== "binary" || e.operator !== "|>") return [];
        let count = 0;
        for (const stage of stages(e)) {
          const times = stage.kind === "stack" ? (stage.count.kind === "number" ? stage.count.value : 2) : 1;
          if (sigmoid(stage.kind === "stack" ? stage.of : stage)) count += times;
          if (/Norm$/.test(callee(stage) ?? "")) count = 0;
        }
        return count >= deep
          ? [
              found(
                "hint",
                "DLM2507",
                e.span,
                `${count} sigmoids follow each other without normalisation; gradients shrink at every one`,
                "use relu or gelu inside, or put LayerNorm() between",
              ),
            ]
          : [];
      })
      .slice(0, 1);
  });
}
function unusedFields({ datasets }: Program, file: ast.File): Diagnostic[] {
  const heldOut = new Set(datasets.flatMap((d) => d.holdouts.flatMap((h) => h.dataset ?? [])));
  return file.items.flatMap((item) => {
    if (item.kind !== "data" || heldOut.has(item.name.text)) return [];
    const trains = file.items.filter(
      (i): i is ast.Train => i.kind === "train" && i.on !== undefined && callee(i.on) === item.name.text,
    );
    if (!trains.length) return [];
    const named = new Set(
      expressions([item.statements, trains.map((t) => t.statements)]).flatMap((e) =>
        e.kind === "name" ? [e.text] : [],
      ),
    );
    const members = new Set(
      expressions(file).flatMap((e) =>
        e.kind === "member" && e.operand.kind === "name" && e.operand.text === item.name.text ? [e.name.text] : [],
      ),
    );
    return item.statements.flatMap((s) =>
      s.kind === "field" && !named.has(s.name.text) && !members.has(s.name.text)
        ? [
            found(
              "hint",
              "DLM2508",
              s.name.span,
              `the field ${s.name.text} is read by nothing`,
              "leave it out: every field is loaded and kept on the device",
            ),
          ]
        : [],
    );
  });
}
/** Dropout right before the output drops answers, not features. */
function dropoutAtTheEnd(_: Program, file: ast.File): Diagnostic[] {
  return file.items.flatMap((item) => {
    const value = item.kind === "model" ? valueOf(item.body) : undefined;
    if (!value) return [];
    const shaping = new Set(["flatten", "squeeze", "unsqueeze", "reshape", "transpose", "rearrange"]);
    const last = stages(value)
      .filter(
        (s) =>
          !shaping.has(callee(s) ?? "") &&
          !(s.kind === "index" && s.operand.kind === "name" && shaping.has(s.operand.text)),
      )
      .at(-1);
    return last?.kind === "call" && callee(last) === "Dropout"
      ? [
          found(
            "warning",
            "DLM2509",
            last.span,
            "Dropout right before the output sets answers to 0",
            "put it before the last layer",
          ),
        ]
      : [];
  });
}
/** Learning rates above these rarely train, by optimizer. */
const usualRate: Readonly<Record<string, number>> = {
  sgd: 1,
  adam: 0.05,
  adamw: 0.05,
  nadam: 0.05,
  radam: 0.05,
  adamax: 0.05,
  rmsprop: 0.05,
  lion: 0.01,
  lamb: 0.1,
  adagrad: 0.5,
};
function largeRates(_: Program, file: ast.File): Diagnostic[] {
  return file.items.flatMap((item) => {
    if (item.kind !== "train") return [];
    const optimizers = expressions(
      item.statements.flatMap((s) => (s.kind === "minimize" ? s.clauses.map((c) => c.by) : [])),
    );
    return optimizers.flatMap((e) => {
      const name = callee(e) ?? "";
      const limit = Object.hasOwn(usualRate, name) && !declares(file, name) ? usualRate[name]! : Infinity;
      let rate = argument(e, "lr", 0);
      // a schedule's first number is its peak
      while (rate?.kind === "call" || rate?.kind === "paren")
        rate = rate.kind === "paren" ? rate.value : rate.args[0]?.value;
      const constant =
        rate?.kind === "name"
          ? file.items.find(
              (i): i is ast.Const => i.kind === "const" && i.name.text === (rate as { readonly text: string }).text,
            )?.value
          : rate;
      return constant?.kind === "number" && constant.value > limit
        ? [
            found(
              "warning",
              "DLM2510",
              rate!.span,
              `a learning rate of ${constant.value} is above what ${name} mostly bears (${limit})`,
              `try ${limit / 10}`,
            ),
          ]
        : [];
    });
  });
}
