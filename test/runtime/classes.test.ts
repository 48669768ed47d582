// Which kernels a device takes, by what adapters say of themselves in Node and in browsers.
import { describe, expect, test } from "vitest";
import { targets } from "../../compiler/kernel/target.ts";
import { isSoftware, targetsFor } from "../../runtime/classes.ts";

type Said = Parameters<typeof targetsFor>[0];
const said = (given: Partial<Said>): Said => ({
  class: "browser",
  name: "unnamed",
  vendor: "",
  architecture: "",
  ...given,
});

describe("the first target of", () => {
  const cards: Partial<Said>[] = [
    { vendor: "nvidia", architecture: "ampere" }, // Chrome tells no names
    { vendor: "nvidia", architecture: "", class: "gpu", name: "NVIDIA H200" },
    { vendor: "4318", name: "NVIDIA GeForce RTX 3060" }, // wgpu: numbers of the PCI bus
    { vendor: "0x10de" },
    { vendor: "amd", architecture: "rdna-2", class: "gpu", name: "AMD Radeon RX 6800 XT (RADV NAVI21)" },
    { vendor: "amd", architecture: "rdna-3" },
    { vendor: "intel", architecture: "xe-hpg" },
    { vendor: "intel", architecture: "xe-2hpg" },
    { vendor: "intel", class: "gpu", name: "Intel(R) Arc(tm) A770 Graphics (DG2)" },
  ];
  test.each(cards)("a card: %j", (given) => expect(targetsFor(said(given))[0]).toBe("discrete"));
  const beside: Partial<Said>[] = [
    { vendor: "apple", architecture: "metal-3" },
    { vendor: "apple", architecture: "common-3", name: "Apple M2 Max" },
    { vendor: "intel", architecture: "gen-12lp" },
    { vendor: "intel", architecture: "xe-lpg" },
    { vendor: "intel", name: "Intel(R) Iris(R) Xe Graphics (TGL GT2)" },
    { vendor: "intel", name: "Intel(R) Arc(tm) 140V GPU" },
    { vendor: "amd", class: "gpu", name: "AMD Custom GPU 0405 (RADV VANGOGH)" },
    { vendor: "amd", class: "gpu", name: "AMD Radeon 780M (RADV PHOENIX)" },
    { vendor: "amd", name: "AMD Radeon(TM) Graphics" },
    { vendor: "qualcomm", architecture: "adreno-7xx" },
    { vendor: "arm", architecture: "valhall" },
    { vendor: "nvidia", name: "NVIDIA Tegra Orin (nvgpu)" },
    {}, // a browser that says nothing
  ];
  test.each(beside)("a GPU beside a CPU: %j", (given) => expect(targetsFor(said(given))[0]).toBe("integrated"));
  const programs: [Partial<Said>, string][] = [
    [{ class: "embedded", name: "SwiftShader driver 5.0.0", subgroupSize: { least: 4, most: 4 } }, "swiftshader"],
    [{ vendor: "google", architecture: "swiftshader" }, "software"],
    [{ vendor: "google", architecture: "swiftshader", subgroupSize: { least: 4, most: 4 } }, "swiftshader"],
    [{ class: "system", name: "llvmpipe (LLVM 19)", subgroupSize: { least: 8, most: 8 } }, "lavapipe"],
    [{ class: "system", name: "llvmpipe (LLVM 19)", subgroupSize: { least: 4, most: 4 } }, "software"],
    [{ vendor: "microsoft", architecture: "warp", fallback: true }, "software"],
    [{ vendor: "microsoft", name: "Microsoft Basic Render Driver" }, "software"],
    [{ fallback: true }, "software"],
    [{ class: "system", vendor: "nvidia", name: "a program of theirs" }, "software"],
  ];
  test.each(programs)("a program: %j", (given, target) => {
    expect(targetsFor(said(given))[0]).toBe(target);
    expect(isSoftware(said(given))).toBe(true);
  });
  test.each([...cards, ...beside])("no program: %j", (given) => expect(isSoftware(said(given))).toBe(false));
  test("a name with a program's in it is no program's where Node says that it is a GPU", () => {
    expect(isSoftware(said({ class: "gpu", name: "Warp Drive 9" }))).toBe(false);
  });
});
test("every target is one of the compiler's, and subgroups are as wide as it takes them to be", () => {
  for (const [name, least, most] of [
    ["llvmpipe", 8, 8],
    ["swiftshader", 4, 4],
    ["unnamed", 32, 32],
  ] as const)
    for (const target of targetsFor(said({ name, subgroupSize: { least, most } }))) {
      expect(Object.keys(targets)).toContain(target);
      expect([0, most]).toContain(targets[target]!.lanes);
    }
});
