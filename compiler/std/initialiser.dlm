# Initialisers: distributions of a parameter. fan_in (all axes but the last), fan_out and shape are those of the parameter.

## What PyTorch does for Linear and Conv: uniform in +-1 / sqrt(fan_in).
init linear_default() = uniform(-1, 1) / sqrt(fan_in)
## Glorot and Bengio 2010. Also called xavier_uniform, xavier_uniform_ and GlorotUniform.
init glorot_uniform(gain: f32 = 1) = uniform(-1, 1) * (gain * sqrt(6 / (fan_in + fan_out)))
## Glorot and Bengio 2010, normal. Also called xavier_normal, xavier_normal_ and GlorotNormal.
init glorot_normal(gain: f32 = 1) = normal(0, gain * sqrt(2 / (fan_in + fan_out)))
## He et al. 2015, normal. A common choice: he_normal(). Also called kaiming_normal, kaiming_normal_ and HeNormal.
init he_normal(gain: f32 = sqrt(2)) = normal(0, gain / sqrt(fan_in))
## He et al. 2015, uniform. Also called kaiming_uniform, kaiming_uniform_ and HeUniform.
init he_uniform(gain: f32 = sqrt(2)) = uniform(-1, 1) * (gain * sqrt(3 / fan_in))
