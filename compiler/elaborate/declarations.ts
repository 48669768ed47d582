// Declarations as values: constants, functions, layers and models by their names.
import type * as ast from "../../grammar/ast.ts";
import { InternalError } from "../../grammar/diagnostic.ts";
import { largestF32 } from "../scalar/range.ts";
import { baseContext, evaluate, type Interpreter, Scope, type Value } from "./context.ts";
import type { ElaborateOptions } from "./program.ts";
import * as errors from "./errors.ts";
import { modelInstance, trainInstance } from "./expression/instances.ts";
import { number } from "./values.ts";

export function declareItems(
  self: Interpreter,
  items: readonly ast.Item[],
  scope: Scope,
  options: ElaborateOptions,
  attempt: Attempt,
): void {
  for (const item of items) {
    if (item.kind === "import") continue;
    const { name } = item;
    attempt(() => {
      switch (item.kind) {
        case "const": {
          let known: Value | undefined;
          let running = false;
          let tried = false;
          const force = (): Value => {
            if (known) return known;
            if (running) throw errors.recursion(name.span, name.text, "const");
            if (tried) throw new errors.Quiet(); // its error is told already
            running = tried = true;
            const given = options.set?.[name.text];
            try {
              known =
                given !== undefined
                  ? number(Number(given), /^-?\d+$/.test(String(given)))
                  : evaluate(item.value, scope, baseContext(self, ambientScope(false)));
            } finally {
              running = false;
            }
            return known;
          };
          scope.bind(name.text, { kind: "lazy", force }, name.span);
          return;
        }
        case "fn":
        case "init":
        case "layer":
        case "optimizer":
          return scope.bind(name.text, declared(item, scope), name.span);
        case "model":
          return scope.bind(
            name.text,
            { kind: "lazy", force: () => ({ kind: "instance", instance: modelInstance(self, item, scope) }) },
            name.span,
          );
        case "data":
          return scope.bind(name.text, { kind: "dataset", name: name.text }, name.span);
        case "train":
          return scope.bind(
            name.text,
            { kind: "lazy", force: () => ({ kind: "instance", instance: trainInstance(self, item, scope) }) },
            name.span,
          );
        default:
          item satisfies never;
      }
    });
  }
}
/** What a name of the library stands for; a constant of its is another name for one of them. */
export const libraryValue = (self: Interpreter, item: ast.Item, scope: Scope): Value =>
  item.kind === "const" ? evaluate(item.value, scope, baseContext(self, ambientScope(false))) : declared(item, scope);
/** A declaration that is a value as it stands. */
export function declared(item: ast.Item, scope: Scope): Value {
  switch (item.kind) {
    case "fn":
    case "init":
      return { kind: "fn", declaration: item, scope };
    case "layer":
      return { kind: "layer", declaration: item, scope };
    case "optimizer":
      return { kind: "optimizer", declaration: item, scope };
    default:
      throw new InternalError(`a ${item.kind} is no value`);
  }
}
export type Attempt = <T>(f: () => T) => T | undefined;
export function ambientScope(training: boolean): Scope {
  const scope = new Scope();
  scope.bind("training", { kind: "bool", value: training });
  scope.bind("pi", number(Math.PI, false));
  scope.bind("inf", number(largestF32, false));
  return scope;
}
export const quiet = (): never => {
  throw new errors.Quiet();
};
