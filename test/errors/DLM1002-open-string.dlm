import "blocks.dlm
const a = 1
