// Where the texts of a model lie in the archive that is downloaded: in it, and imports find one another.
import { expect, test } from "vitest";
import { sourcesIn } from "../../playground/download.ts";
import { importsIn, pathFrom } from "../../playground/work/paths.ts";

test.each([
  ["beside one another", { "m.dlm": 'import "lib/a.dlm"', "lib/a.dlm": 'import "../b.dlm"', "b.dlm": "" }],
  ["above the model", { "m.dlm": 'import "../a.dlm"', "../a.dlm": 'import "../b.dlm"', "../../b.dlm": "" }],
])("%s", (_, texts) => {
  const placed = new Map(sourcesIn("m.dlm", texts));
  expect([...placed.values()]).toEqual(Object.values(texts));
  for (const [path, text] of placed) {
    expect(path).not.toContain("..");
    for (const imported of importsIn(text))
      expect(placed.has(pathFrom(path, imported)), `${imported} of ${path}`).toBe(true);
  }
});
