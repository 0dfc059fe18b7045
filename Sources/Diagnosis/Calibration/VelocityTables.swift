// Made by notebooks-data/laboratory/thresholds.py from thresholds.csv beside it; provisional.

extension VelocityBounds {
  package static let update = VelocityBounds(
    bySpacing: [
      1: [
        Bound(
          method: "adalora", warmsUp: false, healthy: 0.0361, collapsed: nil, healthyRuns: 11, collapsedRuns: 0,
          rates: 0.001...0.06),
        Bound(
          method: "dora", warmsUp: false, healthy: 0.0198, collapsed: 0.0589, healthyRuns: 10, collapsedRuns: 7,
          rates: 0.0003...0.03),
        Bound(
          method: "dora", warmsUp: true, healthy: 0.00439, collapsed: 0.0219, healthyRuns: 2, collapsedRuns: 3,
          rates: 0.001...0.03),
        Bound(
          method: "full", warmsUp: false, healthy: 0.0136, collapsed: 0.0177, healthyRuns: 6, collapsedRuns: 7,
          rates: 0.0001...0.005),
        Bound(
          method: "full", warmsUp: true, healthy: 0.0035, collapsed: 0.00649, healthyRuns: 2, collapsedRuns: 3,
          rates: 0.0003...0.005),
        Bound(
          method: "ia3", warmsUp: false, healthy: 0.03, collapsed: 0.2, healthyRuns: 5, collapsedRuns: 2,
          rates: 0.003...0.2),
        Bound(
          method: "ln-tuning", warmsUp: false, healthy: 0.0258, collapsed: nil, healthyRuns: 6, collapsedRuns: 0,
          rates: 0.003...0.03),
        Bound(
          method: "lora", warmsUp: false, healthy: 0.0243, collapsed: 0.0386, healthyRuns: 15, collapsedRuns: 9,
          rates: 0.0003...0.03),
        Bound(
          method: "lora", warmsUp: true, healthy: 0.00703, collapsed: 0.0225, healthyRuns: 3, collapsedRuns: 3,
          rates: 0.001...0.03),
        Bound(
          method: "lora-fa", warmsUp: false, healthy: 0.01, collapsed: 0.1, healthyRuns: 3, collapsedRuns: 4,
          rates: 0.001...0.06),
        Bound(
          method: "lora-plus", warmsUp: false, healthy: 0.0174, collapsed: 0.174, healthyRuns: 1, collapsedRuns: 12,
          rates: 0.0003...0.03),
        Bound(
          method: "milora", warmsUp: false, healthy: 0.0126, collapsed: 0.0317, healthyRuns: 16, collapsedRuns: 9,
          rates: 0.0003...0.03),
        Bound(
          method: "milora", warmsUp: true, healthy: 0.00613, collapsed: 0.023, healthyRuns: 3, collapsedRuns: 3,
          rates: 0.001...0.03),
        Bound(
          method: "miss", warmsUp: false, healthy: 0.0177, collapsed: 0.068, healthyRuns: 4, collapsedRuns: 8,
          rates: 0.0003...0.06),
        Bound(
          method: "miss", warmsUp: true, healthy: 0.00444, collapsed: 0.0161, healthyRuns: 1, collapsedRuns: 2,
          rates: 0.001...0.01),
        Bound(
          method: "pissa", warmsUp: false, healthy: 0.0102, collapsed: 0.0232, healthyRuns: 8, collapsedRuns: 21,
          rates: 0.0003...0.03),
        Bound(
          method: "pissa", warmsUp: true, healthy: 0.00282, collapsed: 0.0103, healthyRuns: 1, collapsedRuns: 5,
          rates: 0.001...0.03),
        Bound(
          method: "rank1", warmsUp: false, healthy: 0.0179, collapsed: 0.0529, healthyRuns: 9, collapsedRuns: 2,
          rates: 0.0003...0.03),
        Bound(
          method: "rslora", warmsUp: false, healthy: 0.0292, collapsed: 0.0727, healthyRuns: 8, collapsedRuns: 10,
          rates: 0.0003...0.03),
        Bound(
          method: "rslora", warmsUp: true, healthy: 0.0029, collapsed: 0.0234, healthyRuns: 1, collapsedRuns: 4,
          rates: 0.001...0.03),
        Bound(
          method: "vera", warmsUp: false, healthy: 0.00831, collapsed: 0.105, healthyRuns: 5, collapsedRuns: 2,
          rates: 0.003...0.2),
      ],
      5: [
        Bound(
          method: "adalora", warmsUp: false, healthy: 0.0148, collapsed: nil, healthyRuns: 11, collapsedRuns: 0,
          rates: 0.001...0.06),
        Bound(
          method: "dora", warmsUp: false, healthy: 0.0106, collapsed: 0.031, healthyRuns: 10, collapsedRuns: 2,
          rates: 0.0003...0.02),
        Bound(
          method: "dora", warmsUp: true, healthy: 0.00398, collapsed: 0.0186, healthyRuns: 2, collapsedRuns: 3,
          rates: 0.001...0.03),
        Bound(
          method: "full", warmsUp: false, healthy: 0.00679, collapsed: 0.00867, healthyRuns: 6, collapsedRuns: 3,
          rates: 0.0001...0.003),
        Bound(
          method: "full", warmsUp: true, healthy: 0.00304, collapsed: 0.00567, healthyRuns: 2, collapsedRuns: 3,
          rates: 0.0003...0.005),
        Bound(
          method: "ia3", warmsUp: false, healthy: 0.016, collapsed: nil, healthyRuns: 5, collapsedRuns: 0,
          rates: 0.003...0.03),
        Bound(
          method: "ln-tuning", warmsUp: false, healthy: 0.014, collapsed: nil, healthyRuns: 6, collapsedRuns: 0,
          rates: 0.003...0.03),
        Bound(
          method: "lora", warmsUp: false, healthy: 0.0146, collapsed: 0.0234, healthyRuns: 15, collapsedRuns: 4,
          rates: 0.0003...0.02),
        Bound(
          method: "lora", warmsUp: true, healthy: 0.00614, collapsed: 0.0197, healthyRuns: 3, collapsedRuns: 3,
          rates: 0.001...0.03),
        Bound(
          method: "lora-fa", warmsUp: false, healthy: 0.00572, collapsed: nil, healthyRuns: 3, collapsedRuns: 0,
          rates: 0.001...0.003),
        Bound(
          method: "lora-plus", warmsUp: false, healthy: 0.00922, collapsed: nil, healthyRuns: 1, collapsedRuns: 0,
          rates: 0.0003...0.0003),
        Bound(
          method: "milora", warmsUp: false, healthy: 0.00787, collapsed: 0.0188, healthyRuns: 16, collapsedRuns: 5,
          rates: 0.0003...0.02),
        Bound(
          method: "milora", warmsUp: true, healthy: 0.00533, collapsed: 0.0199, healthyRuns: 3, collapsedRuns: 3,
          rates: 0.001...0.03),
        Bound(
          method: "miss", warmsUp: false, healthy: 0.0107, collapsed: 0.0339, healthyRuns: 4, collapsedRuns: 2,
          rates: 0.0003...0.005),
        Bound(
          method: "miss", warmsUp: true, healthy: 0.004, collapsed: 0.0144, healthyRuns: 1, collapsedRuns: 2,
          rates: 0.001...0.01),
        Bound(
          method: "pissa", warmsUp: false, healthy: 0.00587, collapsed: 0.0131, healthyRuns: 8, collapsedRuns: 4,
          rates: 0.0003...0.01),
        Bound(
          method: "pissa", warmsUp: true, healthy: 0.00251, collapsed: 0.0083, healthyRuns: 1, collapsedRuns: 5,
          rates: 0.001...0.03),
        Bound(
          method: "rank1", warmsUp: false, healthy: 0.0101, collapsed: 0.0292, healthyRuns: 9, collapsedRuns: 2,
          rates: 0.0003...0.03),
        Bound(
          method: "rslora", warmsUp: false, healthy: 0.0165, collapsed: 0.0371, healthyRuns: 8, collapsedRuns: 2,
          rates: 0.0003...0.01),
        Bound(
          method: "rslora", warmsUp: true, healthy: 0.00274, collapsed: 0.02, healthyRuns: 1, collapsedRuns: 4,
          rates: 0.001...0.03),
        Bound(
          method: "vera", warmsUp: false, healthy: 0.00743, collapsed: 0.0595, healthyRuns: 5, collapsedRuns: 2,
          rates: 0.003...0.2),
      ],
    ],
    healthyRatios: [
      0.005, 0.013, 0.017, 0.017, 0.024, 0.026, 0.029, 0.029, 0.031, 0.034, 0.035, 0.035, 0.036, 0.036, 0.038, 0.039,
      0.039, 0.039, 0.043, 0.046, 0.047, 0.048, 0.048, 0.050, 0.050, 0.057, 0.058, 0.063, 0.063, 0.073, 0.081, 0.088,
      0.088, 0.092, 0.092, 0.093, 0.098, 0.098, 0.106, 0.107, 0.115, 0.116, 0.117, 0.119, 0.119, 0.120, 0.125, 0.129,
      0.129, 0.131, 0.153, 0.153, 0.158, 0.159, 0.159, 0.166, 0.166, 0.168, 0.170, 0.172, 0.174, 0.175, 0.189, 0.199,
      0.201, 0.204, 0.211, 0.234, 0.263, 0.263, 0.279, 0.281, 0.285, 0.286, 0.291, 0.295, 0.295, 0.298, 0.316, 0.316,
      0.342, 0.346, 0.348, 0.352, 0.356, 0.358, 0.359, 0.363, 0.377, 0.387, 0.392, 0.392, 0.448, 0.460, 0.477, 0.477,
      0.494, 0.495, 0.500, 0.500, 0.500, 0.502, 0.510, 0.516, 0.523, 0.525, 0.559, 0.561, 0.566, 0.580, 0.582, 0.598,
      0.605, 0.630, 0.634, 0.663, 0.702, 0.734, 0.793, 0.877,
    ],
    errors: HeldOutErrors(falseAlarms: 3, healthyRuns: 113, misses: 0, collapsedRuns: 117))

  package static let shift = VelocityBounds(
    bySpacing: [
      1: [
        Bound(
          method: "adalora", warmsUp: false, healthy: 0.00362, collapsed: nil, healthyRuns: 11, collapsedRuns: 0,
          rates: 0.001...0.06),
        Bound(
          method: "dora", warmsUp: false, healthy: 0.00113, collapsed: 0.00299, healthyRuns: 10, collapsedRuns: 7,
          rates: 0.0003...0.03),
        Bound(
          method: "dora", warmsUp: true, healthy: 0.000317, collapsed: 0.00193, healthyRuns: 2, collapsedRuns: 3,
          rates: 0.001...0.03),
        Bound(
          method: "full", warmsUp: false, healthy: 0.00141, collapsed: 0.0021, healthyRuns: 6, collapsedRuns: 7,
          rates: 0.0001...0.005),
        Bound(
          method: "full", warmsUp: true, healthy: 0.000419, collapsed: 0.000809, healthyRuns: 2, collapsedRuns: 3,
          rates: 0.0003...0.005),
        Bound(
          method: "ia3", warmsUp: false, healthy: 0.00585, collapsed: 0.039, healthyRuns: 5, collapsedRuns: 2,
          rates: 0.003...0.2),
        Bound(
          method: "lora", warmsUp: false, healthy: 0.00103, collapsed: 0.00282, healthyRuns: 15, collapsedRuns: 9,
          rates: 0.0003...0.03),
        Bound(
          method: "lora", warmsUp: true, healthy: 0.000538, collapsed: 0.00172, healthyRuns: 3, collapsedRuns: 3,
          rates: 0.001...0.03),
        Bound(
          method: "lora-fa", warmsUp: false, healthy: 0.000435, collapsed: 0.00411, healthyRuns: 3, collapsedRuns: 4,
          rates: 0.001...0.06),
        Bound(
          method: "lora-plus", warmsUp: false, healthy: 0.000693, collapsed: 0.00647, healthyRuns: 1, collapsedRuns: 12,
          rates: 0.0003...0.03),
        Bound(
          method: "milora", warmsUp: false, healthy: 0.000989, collapsed: 0.00278, healthyRuns: 16, collapsedRuns: 9,
          rates: 0.0003...0.03),
        Bound(
          method: "milora", warmsUp: true, healthy: 0.000524, collapsed: 0.00211, healthyRuns: 3, collapsedRuns: 3,
          rates: 0.001...0.03),
        Bound(
          method: "miss", warmsUp: false, healthy: 0.000794, collapsed: 0.00307, healthyRuns: 4, collapsedRuns: 8,
          rates: 0.0003...0.06),
        Bound(
          method: "miss", warmsUp: true, healthy: 0.000266, collapsed: 0.00176, healthyRuns: 1, collapsedRuns: 2,
          rates: 0.001...0.01),
        Bound(
          method: "pissa", warmsUp: false, healthy: 0.00244, collapsed: 0.00405, healthyRuns: 8, collapsedRuns: 21,
          rates: 0.0003...0.03),
        Bound(
          method: "pissa", warmsUp: true, healthy: 0.000661, collapsed: 0.002, healthyRuns: 1, collapsedRuns: 5,
          rates: 0.001...0.03),
        Bound(
          method: "rank1", warmsUp: false, healthy: 0.000787, collapsed: 0.00355, healthyRuns: 9, collapsedRuns: 2,
          rates: 0.0003...0.03),
        Bound(
          method: "rslora", warmsUp: false, healthy: 0.00124, collapsed: 0.00284, healthyRuns: 8, collapsedRuns: 10,
          rates: 0.0003...0.03),
        Bound(
          method: "rslora", warmsUp: true, healthy: 0.000138, collapsed: 0.00202, healthyRuns: 1, collapsedRuns: 4,
          rates: 0.001...0.03),
        Bound(
          method: "vera", warmsUp: false, healthy: 0.00117, collapsed: 0.0224, healthyRuns: 5, collapsedRuns: 2,
          rates: 0.003...0.2),
      ],
      5: [
        Bound(
          method: "adalora", warmsUp: false, healthy: 0.00125, collapsed: nil, healthyRuns: 11, collapsedRuns: 0,
          rates: 0.001...0.06),
        Bound(
          method: "dora", warmsUp: false, healthy: 0.000708, collapsed: 0.00197, healthyRuns: 10, collapsedRuns: 2,
          rates: 0.0003...0.02),
        Bound(
          method: "dora", warmsUp: true, healthy: 0.000267, collapsed: 0.00145, healthyRuns: 2, collapsedRuns: 3,
          rates: 0.001...0.03),
        Bound(
          method: "full", warmsUp: false, healthy: 0.000748, collapsed: 0.000997, healthyRuns: 6, collapsedRuns: 3,
          rates: 0.0001...0.003),
        Bound(
          method: "full", warmsUp: true, healthy: 0.000362, collapsed: 0.000661, healthyRuns: 2, collapsedRuns: 3,
          rates: 0.0003...0.005),
        Bound(
          method: "ia3", warmsUp: false, healthy: 0.00355, collapsed: nil, healthyRuns: 5, collapsedRuns: 0,
          rates: 0.003...0.03),
        Bound(
          method: "ln-tuning", warmsUp: false, healthy: 0.00284, collapsed: nil, healthyRuns: 6, collapsedRuns: 0,
          rates: 0.003...0.03),
        Bound(
          method: "lora", warmsUp: false, healthy: 0.000701, collapsed: 0.00107, healthyRuns: 15, collapsedRuns: 4,
          rates: 0.0003...0.02),
        Bound(
          method: "lora", warmsUp: true, healthy: 0.000358, collapsed: 0.000989, healthyRuns: 3, collapsedRuns: 3,
          rates: 0.001...0.03),
        Bound(
          method: "lora-fa", warmsUp: false, healthy: 0.000242, collapsed: nil, healthyRuns: 3, collapsedRuns: 0,
          rates: 0.001...0.003),
        Bound(
          method: "lora-plus", warmsUp: false, healthy: 0.000353, collapsed: nil, healthyRuns: 1, collapsedRuns: 0,
          rates: 0.0003...0.0003),
        Bound(
          method: "milora", warmsUp: false, healthy: 0.000598, collapsed: 0.00126, healthyRuns: 16, collapsedRuns: 5,
          rates: 0.0003...0.02),
        Bound(
          method: "milora", warmsUp: true, healthy: 0.000442, collapsed: 0.00134, healthyRuns: 3, collapsedRuns: 3,
          rates: 0.001...0.03),
        Bound(
          method: "miss", warmsUp: false, healthy: 0.000423, collapsed: 0.00112, healthyRuns: 4, collapsedRuns: 2,
          rates: 0.0003...0.005),
        Bound(
          method: "miss", warmsUp: true, healthy: 0.000226, collapsed: 0.000767, healthyRuns: 1, collapsedRuns: 2,
          rates: 0.001...0.01),
        Bound(
          method: "pissa", warmsUp: false, healthy: 0.00177, collapsed: 0.00279, healthyRuns: 8, collapsedRuns: 4,
          rates: 0.0003...0.01),
        Bound(
          method: "pissa", warmsUp: true, healthy: 0.000598, collapsed: 0.00159, healthyRuns: 1, collapsedRuns: 5,
          rates: 0.001...0.03),
        Bound(
          method: "rank1", warmsUp: false, healthy: 0.000436, collapsed: 0.000739, healthyRuns: 9, collapsedRuns: 2,
          rates: 0.0003...0.03),
        Bound(
          method: "rslora", warmsUp: false, healthy: 0.000724, collapsed: 0.00143, healthyRuns: 8, collapsedRuns: 2,
          rates: 0.0003...0.01),
        Bound(
          method: "rslora", warmsUp: true, healthy: 0.000121, collapsed: 0.000776, healthyRuns: 1, collapsedRuns: 4,
          rates: 0.001...0.03),
        Bound(
          method: "vera", warmsUp: false, healthy: 0.000703, collapsed: 0.00555, healthyRuns: 5, collapsedRuns: 2,
          rates: 0.003...0.2),
      ],
    ],
    healthyRatios: [
      0.002, 0.004, 0.006, 0.007, 0.014, 0.015, 0.016, 0.018, 0.019, 0.020, 0.021, 0.024, 0.025, 0.030, 0.032, 0.033,
      0.034, 0.036, 0.037, 0.037, 0.039, 0.040, 0.043, 0.043, 0.045, 0.046, 0.059, 0.060, 0.066, 0.066, 0.070, 0.079,
      0.082, 0.084, 0.089, 0.090, 0.094, 0.098, 0.100, 0.102, 0.106, 0.107, 0.108, 0.109, 0.112, 0.114, 0.118, 0.121,
      0.123, 0.129, 0.130, 0.136, 0.139, 0.143, 0.144, 0.148, 0.150, 0.152, 0.154, 0.159, 0.164, 0.175, 0.194, 0.220,
      0.229, 0.238, 0.246, 0.250, 0.254, 0.261, 0.269, 0.282, 0.298, 0.299, 0.313, 0.323, 0.325, 0.326, 0.327, 0.328,
      0.330, 0.337, 0.355, 0.363, 0.367, 0.369, 0.387, 0.389, 0.395, 0.405, 0.408, 0.428, 0.429, 0.431, 0.455, 0.471,
      0.493, 0.498, 0.500, 0.509, 0.545, 0.559, 0.562, 0.575, 0.577, 0.582, 0.596, 0.604, 0.615, 0.617, 0.661, 0.720,
      0.776, 0.819,
    ],
    errors: HeldOutErrors(falseAlarms: 4, healthyRuns: 106, misses: 1, collapsedRuns: 117))
}
