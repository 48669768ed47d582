# W5: one elementwise formula over 2^22 elements.
export fn formula(x: f32[4194304], a: f32, b: f32, c: f32) -> f32[4194304] = gelu(x * a + b) * c + x
