// What the parser leaves out at every start: Chevrotain's own checks of the grammar and of the tokens.
import { Lexer } from "chevrotain";
import { expect, test } from "vitest";
import { Grammar } from "../../grammar/grammar.ts";
import { Reader } from "../../grammar/reader.ts";
import { types } from "../../grammar/tokens.ts";

class Validated extends Grammar {
  constructor() {
    super(true);
    this.performSelfAnalysis(); // throws where the grammar does not pass
  }
}
class Ambiguous extends Reader {
  readonly either = this.rule("either", () => {
    const name = (): string => this.name().text;
    return this.choose(0, [name, name], () => "");
  });
  constructor() {
    super(true);
    this.performSelfAnalysis();
  }
}
test("no alternatives begin alike, no rule calls itself first, every loop ends", () => {
  expect(() => new Validated()).not.toThrow();
  expect(() => new Ambiguous()).toThrow("Ambiguous Alternatives");
});
test("every token can be met, and none takes another's text", () => {
  const lexer = new Lexer([...types.values()], { positionTracking: "onlyOffset", deferDefinitionErrorsHandling: true });
  expect(lexer.lexerDefinitionErrors).toEqual([]);
});
