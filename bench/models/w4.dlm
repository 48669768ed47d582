# W4: matrix products of 512, 1024 and 2048 squares.
export fn product512(a: f32[512, 512], b: f32[512, 512]) -> f32[512, 512] = a @ b
export fn product1024(a: f32[1024, 1024], b: f32[1024, 1024]) -> f32[1024, 1024] = a @ b
export fn product2048(a: f32[2048, 2048], b: f32[2048, 2048]) -> f32[2048, 2048] = a @ b
