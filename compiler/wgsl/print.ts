// The loop IR as WGSL text. Prints; decides nothing.
import type { Statement } from "../lower/ir.ts";

const indent = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

export function printStatements(block: readonly Statement[]): string[] {
  return block.flatMap((s): string[] => {
    switch (s.kind) {
      case "let":
        return [`let ${s.name} = ${s.code};${s.comment ? ` // ${s.comment}` : ""}`];
      case "var":
        return `var ${s.name} = ${s.code};`.split("\n");
      case "set":
        return [`${s.name} ${s.operator} ${s.code};`];
      case "store":
        return [`${s.tensor}[${s.at}] = ${s.code};`];
      case "for": {
        const next = s.step === 1 ? `${s.variable}++` : `${s.variable} += ${s.step}`;
        return [
          `for (var ${s.variable} = ${s.from}; ${s.variable} < ${s.below}; ${next}) {`,
          ...indent(printStatements(s.body)),
          "}",
        ];
      }
      case "if":
        return [`if (${s.condition}) {`, ...indent(printStatements(s.body)), "}"];
      case "line":
        return s.code.split("\n");
      default:
        return s satisfies never;
    }
  });
}

export interface ModuleText {
  readonly comment: readonly string[];
  readonly enables: readonly string[];
  readonly overrides: readonly string[];
  readonly bindings: readonly string[]; // "var<storage, read> x: array<f32>", in order of their numbers
  readonly workgroupMemory: readonly string[];
  readonly helpers: readonly string[];
  readonly workgroup: number;
  readonly parameters: readonly string[];
  readonly body: readonly Statement[];
}
export const entryPoint = "main";
export function printModule(m: ModuleText): string {
  const lines = [
    ...m.comment.map((line) => `// ${line}`.trimEnd()),
    ...m.enables.map((name) => `enable ${name};`),
    ...(m.enables.length ? [""] : []),
    ...m.overrides.map((name) => `override ${name}: i32;`),
    ...m.bindings.map((text, k) => `@group(0) @binding(${k}) ${text};`),
    ...m.workgroupMemory,
    ...m.helpers.flatMap((code) => ["", code]),
    "",
    `@compute @workgroup_size(${m.workgroup})`,
    `fn ${entryPoint}(${m.parameters.join(", ")}) {`,
    ...indent(printStatements(m.body)),
    "}",
    "",
  ];
  return lines.join("\n");
}
