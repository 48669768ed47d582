// Diagnostics of meaning, DLM2xxx: a constructor for every kind of mistake, taking facts; the text of each stands once, in the room of its subject.
export * from "./errors/fault.ts";
export * from "./errors/names.ts";
export * from "./errors/shapes.ts";
export * from "./errors/kinds.ts";
export * from "./errors/arguments.ts";
export * from "./errors/settings.ts";
export * from "./errors/places.ts";
