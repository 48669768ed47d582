export fn f(x: f32[B, 8]) = zeros[3000000000]
export fn g(x: f32[B, 8]) = eye(70000)
