// What an archive takes, and nothing else of its package: what is imported when it is wanted is imported whole.
export { strToU8, zipSync } from "fflate";
