model net(x: f32[B, 4]) -> f32[B, 2]
const a = 1
