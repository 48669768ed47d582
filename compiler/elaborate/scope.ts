// Names: a chain of frames, the last one the declarations of a file.
import type { Span } from "../../grammar/diagnostic.ts";
import { twice, unknownName } from "./errors.ts";
import type { Value } from "./values.ts";

export class Scope {
  readonly parent: Scope | undefined;
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
  *names(): Iterable<string> {
    for (let at: Scope | undefined = this; at; at = at.parent) yield* at.values.keys();
  }
}
