import "blocks.dlm"
export fn f(x: f32[B]) = x
