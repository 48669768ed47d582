// The version of the package, as package.json has it.
/** Of the package; part of every plan. */
export const version = "0.1.0";
