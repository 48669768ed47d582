// What `dlm init` writes: models of templates/ and of the examples, with their data and where these come from.
// Run by `npm run build`; tests call `templates` for the current sources.
import { readFileSync } from "node:fs";

const root = new URL("../../", import.meta.url);
const source = (path) => readFileSync(new URL(path, root), "utf8");
const ours = "made for dlm, under the licence of dlm";
const digits =
  "the test part of Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak 1998, UCI Machine Learning Repository (CC BY 4.0), as exported from scikit-learn 1.2 (BSD-3-Clause)";
const iris =
  "R. A. Fisher 1936, UCI Machine Learning Repository (CC BY 4.0), as exported from scikit-learn 1.2 (BSD-3-Clause)";

/** By name: the model's text, data files by their place, and where each is from. */
const known = {
  points: {
    summary: "points of the plane in three classes",
    model: "compiler/cli/templates/points.dlm",
    data: { "data/points.csv": ["compiler/cli/templates/data/points.csv", ours] },
  },
  digits: {
    summary: "handwritten digits, 8x8 pixels",
    model: "examples/digits.dlm",
    data: { "data/digits.csv": ["examples/data/digits.csv", digits] },
  },
  iris: {
    summary: "flowers of three species by four measurements",
    model: "examples/iris.dlm",
    data: { "data/iris.csv": ["examples/data/iris.csv", iris] },
  },
  regression: {
    summary: "a number from three others",
    model: "compiler/cli/templates/regression.dlm",
    data: { "data/room.csv": ["compiler/cli/templates/data/room.csv", ours] },
  },
  characters: {
    summary: "a text, letter by letter",
    model: "compiler/cli/templates/characters.dlm",
    data: { "data/text.txt": ["examples/data/numbers.txt", ours] },
  },
};
/** What comes with the package anyway is named, and all else is here. */
const kept = (path) => (path.startsWith("examples/") ? { path } : { content: source(path) });
export function templates() {
  return Object.fromEntries(
    Object.entries(known).map(([name, { summary, model, data }]) => [
      name,
      {
        summary,
        model: kept(model),
        data: Object.fromEntries(
          Object.entries(data).map(([place, [path, origin]]) => [place, { ...kept(path), origin }]),
        ),
      },
    ]),
  );
}
