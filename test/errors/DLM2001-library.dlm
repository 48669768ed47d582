# names of the library that nothing else here has used: two letters swapped, one too many, in a pipe, as an argument
export fn f(x: f32[4]) = sgimoid(x)
export fn g(x: f32[4]) = x |> sotfmax
export fn h(x: f32[4]) = tahn(x)
model net(x: f32[B, 4]) -> f32[B, 1] = x |> Linear(1, act: geluu)
