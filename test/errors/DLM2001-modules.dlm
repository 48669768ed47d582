model net(x: f32[B, 4]) -> f32[B, 3] = torch.relu(x) |> nn.Linear(3)
fn both(x: f32[4], y: f32[4]) = np.concatenate([x, y])
