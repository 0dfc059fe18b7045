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
          method: "dora", warmsUp: true, healthy: 0.00439, collapsed: 0.0219, healthyRuns: 10, collapsedRuns: 3,
          rates: 0.0001...0.03),
        Bound(
          method: "full", warmsUp: false, healthy: 0.0136, collapsed: 0.0177, healthyRuns: 6, collapsedRuns: 7,
          rates: 0.0001...0.005),
        Bound(
          method: "full", warmsUp: true, healthy: 0.0035, collapsed: 0.00649, healthyRuns: 10, collapsedRuns: 3,
          rates: 0.0001...0.005),
        Bound(
          method: "ia3", warmsUp: false, healthy: 0.03, collapsed: 0.2, healthyRuns: 5, collapsedRuns: 2,
          rates: 0.003...0.2),
        Bound(
          method: "ia3", warmsUp: true, healthy: 0.0115, collapsed: 0.052, healthyRuns: 5, collapsedRuns: 1,
          rates: 0.003...0.2),
        Bound(
          method: "ln-tuning", warmsUp: false, healthy: 0.0258, collapsed: nil, healthyRuns: 6, collapsedRuns: 0,
          rates: 0.003...0.03),
        Bound(
          method: "lora", warmsUp: false, healthy: 0.0243, collapsed: 0.0386, healthyRuns: 15, collapsedRuns: 9,
          rates: 0.0003...0.03),
        Bound(
          method: "lora", warmsUp: true, healthy: 0.00703, collapsed: 0.0225, healthyRuns: 11, collapsedRuns: 3,
          rates: 0.0001...0.03),
        Bound(
          method: "lora-fa", warmsUp: false, healthy: 0.01, collapsed: 0.1, healthyRuns: 3, collapsedRuns: 4,
          rates: 0.001...0.06),
        Bound(
          method: "lora-fa", warmsUp: true, healthy: 0.00558, collapsed: nil, healthyRuns: 9, collapsedRuns: 0,
          rates: 0.0003...0.005),
        Bound(
          method: "lora-plus", warmsUp: false, healthy: 0.0174, collapsed: 0.174, healthyRuns: 5, collapsedRuns: 12,
          rates: 0.0001...0.03),
        Bound(
          method: "lora-plus", warmsUp: true, healthy: 0.00579, collapsed: 0.025, healthyRuns: 6, collapsedRuns: 6,
          rates: 0.0001...0.01),
        Bound(
          method: "milora", warmsUp: false, healthy: 0.0126, collapsed: 0.0317, healthyRuns: 16, collapsedRuns: 9,
          rates: 0.0003...0.03),
        Bound(
          method: "milora", warmsUp: true, healthy: 0.00613, collapsed: 0.023, healthyRuns: 11, collapsedRuns: 3,
          rates: 0.0001...0.03),
        Bound(
          method: "miss", warmsUp: false, healthy: 0.0177, collapsed: 0.068, healthyRuns: 10, collapsedRuns: 8,
          rates: 0.0001...0.06),
        Bound(
          method: "miss", warmsUp: true, healthy: 0.00778, collapsed: 0.0161, healthyRuns: 8, collapsedRuns: 5,
          rates: 0.0003...0.01),
        Bound(
          method: "pissa", warmsUp: false, healthy: 0.0102, collapsed: 0.0232, healthyRuns: 8, collapsedRuns: 21,
          rates: 0.0003...0.03),
        Bound(
          method: "pissa", warmsUp: true, healthy: 0.00473, collapsed: 0.0103, healthyRuns: 8, collapsedRuns: 5,
          rates: 0.0001...0.03),
        Bound(
          method: "rank1", warmsUp: false, healthy: 0.0179, collapsed: 0.0529, healthyRuns: 9, collapsedRuns: 2,
          rates: 0.0003...0.03),
        Bound(
          method: "rank1", warmsUp: true, healthy: 0.00216, collapsed: nil, healthyRuns: 8, collapsedRuns: 0,
          rates: 0.0001...0.002),
        Bound(
          method: "rslora", warmsUp: false, healthy: 0.0292, collapsed: 0.0727, healthyRuns: 14, collapsedRuns: 10,
          rates: 0.0001...0.03),
        Bound(
          method: "rslora", warmsUp: true, healthy: 0.00544, collapsed: 0.0234, healthyRuns: 9, collapsedRuns: 4,
          rates: 0.0001...0.03),
        Bound(
          method: "vera", warmsUp: false, healthy: 0.00831, collapsed: 0.105, healthyRuns: 5, collapsedRuns: 2,
          rates: 0.003...0.2),
        Bound(
          method: "vera", warmsUp: true, healthy: 0.00926, collapsed: 0.0681, healthyRuns: 6, collapsedRuns: 2,
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
          method: "dora", warmsUp: true, healthy: 0.00398, collapsed: 0.0186, healthyRuns: 10, collapsedRuns: 3,
          rates: 0.0001...0.03),
        Bound(
          method: "full", warmsUp: false, healthy: 0.00679, collapsed: 0.00867, healthyRuns: 6, collapsedRuns: 3,
          rates: 0.0001...0.003),
        Bound(
          method: "full", warmsUp: true, healthy: 0.00304, collapsed: 0.00567, healthyRuns: 10, collapsedRuns: 3,
          rates: 0.0001...0.005),
        Bound(
          method: "ia3", warmsUp: false, healthy: 0.016, collapsed: nil, healthyRuns: 5, collapsedRuns: 0,
          rates: 0.003...0.03),
        Bound(
          method: "ia3", warmsUp: true, healthy: 0.0101, collapsed: 0.0451, healthyRuns: 5, collapsedRuns: 1,
          rates: 0.003...0.2),
        Bound(
          method: "ln-tuning", warmsUp: false, healthy: 0.014, collapsed: nil, healthyRuns: 6, collapsedRuns: 0,
          rates: 0.003...0.03),
        Bound(
          method: "lora", warmsUp: false, healthy: 0.0146, collapsed: 0.0234, healthyRuns: 15, collapsedRuns: 4,
          rates: 0.0003...0.02),
        Bound(
          method: "lora", warmsUp: true, healthy: 0.00614, collapsed: 0.0197, healthyRuns: 11, collapsedRuns: 3,
          rates: 0.0001...0.03),
        Bound(
          method: "lora-fa", warmsUp: false, healthy: 0.00572, collapsed: nil, healthyRuns: 3, collapsedRuns: 0,
          rates: 0.001...0.003),
        Bound(
          method: "lora-fa", warmsUp: true, healthy: 0.00506, collapsed: nil, healthyRuns: 9, collapsedRuns: 0,
          rates: 0.0003...0.005),
        Bound(
          method: "lora-plus", warmsUp: false, healthy: 0.00922, collapsed: nil, healthyRuns: 5, collapsedRuns: 0,
          rates: 0.0001...0.0003),
        Bound(
          method: "lora-plus", warmsUp: true, healthy: 0.00529, collapsed: 0.0203, healthyRuns: 6, collapsedRuns: 6,
          rates: 0.0001...0.01),
        Bound(
          method: "milora", warmsUp: false, healthy: 0.00787, collapsed: 0.0188, healthyRuns: 16, collapsedRuns: 5,
          rates: 0.0003...0.02),
        Bound(
          method: "milora", warmsUp: true, healthy: 0.00533, collapsed: 0.0199, healthyRuns: 11, collapsedRuns: 3,
          rates: 0.0001...0.03),
        Bound(
          method: "miss", warmsUp: false, healthy: 0.0107, collapsed: 0.0339, healthyRuns: 10, collapsedRuns: 2,
          rates: 0.0001...0.005),
        Bound(
          method: "miss", warmsUp: true, healthy: 0.00683, collapsed: 0.0144, healthyRuns: 8, collapsedRuns: 5,
          rates: 0.0003...0.01),
        Bound(
          method: "pissa", warmsUp: false, healthy: 0.00587, collapsed: 0.0131, healthyRuns: 8, collapsedRuns: 4,
          rates: 0.0003...0.01),
        Bound(
          method: "pissa", warmsUp: true, healthy: 0.00417, collapsed: 0.0083, healthyRuns: 8, collapsedRuns: 5,
          rates: 0.0001...0.03),
        Bound(
          method: "rank1", warmsUp: false, healthy: 0.0101, collapsed: 0.0292, healthyRuns: 9, collapsedRuns: 2,
          rates: 0.0003...0.03),
        Bound(
          method: "rank1", warmsUp: true, healthy: 0.00202, collapsed: nil, healthyRuns: 8, collapsedRuns: 0,
          rates: 0.0001...0.002),
        Bound(
          method: "rslora", warmsUp: false, healthy: 0.0165, collapsed: 0.0371, healthyRuns: 14, collapsedRuns: 2,
          rates: 0.0001...0.01),
        Bound(
          method: "rslora", warmsUp: true, healthy: 0.00487, collapsed: 0.02, healthyRuns: 9, collapsedRuns: 4,
          rates: 0.0001...0.03),
        Bound(
          method: "vera", warmsUp: false, healthy: 0.00743, collapsed: 0.0595, healthyRuns: 5, collapsedRuns: 2,
          rates: 0.003...0.2),
        Bound(
          method: "vera", warmsUp: true, healthy: 0.00842, collapsed: 0.0363, healthyRuns: 6, collapsedRuns: 2,
          rates: 0.003...0.2),
      ],
    ],
    healthyRatios: [
      0.005, 0.006, 0.007, 0.012, 0.012, 0.013, 0.016, 0.016, 0.017, 0.017, 0.017, 0.017, 0.017, 0.018, 0.024, 0.026,
      0.027, 0.027, 0.028, 0.029, 0.029, 0.029, 0.031, 0.031, 0.032, 0.032, 0.032, 0.034, 0.035, 0.035, 0.036, 0.036,
      0.037, 0.037, 0.038, 0.039, 0.039, 0.039, 0.039, 0.039, 0.041, 0.043, 0.045, 0.046, 0.047, 0.048, 0.048, 0.049,
      0.049, 0.050, 0.050, 0.054, 0.056, 0.056, 0.057, 0.058, 0.058, 0.059, 0.062, 0.062, 0.062, 0.063, 0.063, 0.063,
      0.063, 0.068, 0.070, 0.073, 0.078, 0.078, 0.079, 0.080, 0.080, 0.081, 0.082, 0.088, 0.088, 0.089, 0.090, 0.092,
      0.092, 0.093, 0.098, 0.098, 0.102, 0.106, 0.106, 0.107, 0.107, 0.108, 0.115, 0.116, 0.117, 0.117, 0.119, 0.119,
      0.120, 0.120, 0.120, 0.122, 0.123, 0.125, 0.126, 0.129, 0.129, 0.129, 0.130, 0.131, 0.136, 0.140, 0.140, 0.145,
      0.153, 0.153, 0.158, 0.159, 0.159, 0.166, 0.166, 0.168, 0.170, 0.172, 0.174, 0.175, 0.176, 0.176, 0.187, 0.188,
      0.189, 0.195, 0.196, 0.196, 0.199, 0.199, 0.201, 0.204, 0.208, 0.211, 0.211, 0.213, 0.221, 0.221, 0.221, 0.223,
      0.225, 0.234, 0.236, 0.237, 0.257, 0.259, 0.263, 0.263, 0.274, 0.279, 0.281, 0.285, 0.285, 0.286, 0.287, 0.291,
      0.295, 0.295, 0.298, 0.316, 0.316, 0.340, 0.342, 0.345, 0.346, 0.346, 0.348, 0.348, 0.356, 0.358, 0.358, 0.359,
      0.363, 0.369, 0.377, 0.387, 0.392, 0.392, 0.397, 0.397, 0.404, 0.405, 0.426, 0.432, 0.438, 0.448, 0.460, 0.470,
      0.472, 0.477, 0.477, 0.481, 0.481, 0.482, 0.494, 0.495, 0.500, 0.500, 0.500, 0.500, 0.500, 0.502, 0.510, 0.516,
      0.559, 0.561, 0.566, 0.580, 0.582, 0.598, 0.605, 0.630, 0.634, 0.663, 0.678, 0.695, 0.702, 0.734, 0.793, 0.877,
    ],
    errors: HeldOutErrors(falseAlarms: 3, healthyRuns: 165, misses: 0, collapsedRuns: 123))

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
          method: "dora", warmsUp: true, healthy: 0.000317, collapsed: 0.00193, healthyRuns: 10, collapsedRuns: 3,
          rates: 0.0001...0.03),
        Bound(
          method: "full", warmsUp: false, healthy: 0.00141, collapsed: 0.0021, healthyRuns: 6, collapsedRuns: 7,
          rates: 0.0001...0.005),
        Bound(
          method: "full", warmsUp: true, healthy: 0.000419, collapsed: 0.000809, healthyRuns: 10, collapsedRuns: 3,
          rates: 0.0001...0.005),
        Bound(
          method: "ia3", warmsUp: false, healthy: 0.00585, collapsed: 0.039, healthyRuns: 5, collapsedRuns: 2,
          rates: 0.003...0.2),
        Bound(
          method: "ia3", warmsUp: true, healthy: 0.00311, collapsed: 0.0173, healthyRuns: 5, collapsedRuns: 1,
          rates: 0.003...0.2),
        Bound(
          method: "lora", warmsUp: false, healthy: 0.00103, collapsed: 0.00282, healthyRuns: 15, collapsedRuns: 9,
          rates: 0.0003...0.03),
        Bound(
          method: "lora", warmsUp: true, healthy: 0.000538, collapsed: 0.00172, healthyRuns: 11, collapsedRuns: 3,
          rates: 0.0001...0.03),
        Bound(
          method: "lora-fa", warmsUp: false, healthy: 0.000435, collapsed: 0.00411, healthyRuns: 3, collapsedRuns: 4,
          rates: 0.001...0.06),
        Bound(
          method: "lora-fa", warmsUp: true, healthy: 0.00027, collapsed: nil, healthyRuns: 9, collapsedRuns: 0,
          rates: 0.0003...0.005),
        Bound(
          method: "lora-plus", warmsUp: false, healthy: 0.000693, collapsed: 0.00647, healthyRuns: 5, collapsedRuns: 12,
          rates: 0.0001...0.03),
        Bound(
          method: "lora-plus", warmsUp: true, healthy: 0.000284, collapsed: 0.00208, healthyRuns: 6, collapsedRuns: 6,
          rates: 0.0001...0.01),
        Bound(
          method: "milora", warmsUp: false, healthy: 0.000989, collapsed: 0.00278, healthyRuns: 16, collapsedRuns: 9,
          rates: 0.0003...0.03),
        Bound(
          method: "milora", warmsUp: true, healthy: 0.000524, collapsed: 0.00211, healthyRuns: 11, collapsedRuns: 3,
          rates: 0.0001...0.03),
        Bound(
          method: "miss", warmsUp: false, healthy: 0.000794, collapsed: 0.00307, healthyRuns: 10, collapsedRuns: 8,
          rates: 0.0001...0.06),
        Bound(
          method: "miss", warmsUp: true, healthy: 0.000506, collapsed: 0.00176, healthyRuns: 8, collapsedRuns: 5,
          rates: 0.0003...0.01),
        Bound(
          method: "pissa", warmsUp: false, healthy: 0.00244, collapsed: 0.00405, healthyRuns: 8, collapsedRuns: 21,
          rates: 0.0003...0.03),
        Bound(
          method: "pissa", warmsUp: true, healthy: 0.00106, collapsed: 0.002, healthyRuns: 8, collapsedRuns: 5,
          rates: 0.0001...0.03),
        Bound(
          method: "rank1", warmsUp: false, healthy: 0.000787, collapsed: 0.00355, healthyRuns: 9, collapsedRuns: 2,
          rates: 0.0003...0.03),
        Bound(
          method: "rank1", warmsUp: true, healthy: 0.000129, collapsed: nil, healthyRuns: 8, collapsedRuns: 0,
          rates: 0.0001...0.002),
        Bound(
          method: "rslora", warmsUp: false, healthy: 0.00124, collapsed: 0.00284, healthyRuns: 14, collapsedRuns: 10,
          rates: 0.0001...0.03),
        Bound(
          method: "rslora", warmsUp: true, healthy: 0.000317, collapsed: 0.00202, healthyRuns: 9, collapsedRuns: 4,
          rates: 0.0001...0.03),
        Bound(
          method: "vera", warmsUp: false, healthy: 0.00117, collapsed: 0.0224, healthyRuns: 5, collapsedRuns: 2,
          rates: 0.003...0.2),
        Bound(
          method: "vera", warmsUp: true, healthy: 0.00147, collapsed: 0.0118, healthyRuns: 6, collapsedRuns: 2,
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
          method: "dora", warmsUp: true, healthy: 0.000267, collapsed: 0.00145, healthyRuns: 10, collapsedRuns: 3,
          rates: 0.0001...0.03),
        Bound(
          method: "full", warmsUp: false, healthy: 0.000748, collapsed: 0.000997, healthyRuns: 6, collapsedRuns: 3,
          rates: 0.0001...0.003),
        Bound(
          method: "full", warmsUp: true, healthy: 0.000362, collapsed: 0.000661, healthyRuns: 10, collapsedRuns: 3,
          rates: 0.0001...0.005),
        Bound(
          method: "ia3", warmsUp: false, healthy: 0.00355, collapsed: nil, healthyRuns: 5, collapsedRuns: 0,
          rates: 0.003...0.03),
        Bound(
          method: "ia3", warmsUp: true, healthy: 0.00298, collapsed: 0.0133, healthyRuns: 5, collapsedRuns: 1,
          rates: 0.003...0.2),
        Bound(
          method: "ln-tuning", warmsUp: false, healthy: 0.00284, collapsed: nil, healthyRuns: 6, collapsedRuns: 0,
          rates: 0.003...0.03),
        Bound(
          method: "lora", warmsUp: false, healthy: 0.000701, collapsed: 0.00107, healthyRuns: 15, collapsedRuns: 4,
          rates: 0.0003...0.02),
        Bound(
          method: "lora", warmsUp: true, healthy: 0.000358, collapsed: 0.000989, healthyRuns: 11, collapsedRuns: 3,
          rates: 0.0001...0.03),
        Bound(
          method: "lora-fa", warmsUp: false, healthy: 0.000242, collapsed: nil, healthyRuns: 3, collapsedRuns: 0,
          rates: 0.001...0.003),
        Bound(
          method: "lora-fa", warmsUp: true, healthy: 0.000248, collapsed: nil, healthyRuns: 9, collapsedRuns: 0,
          rates: 0.0003...0.005),
        Bound(
          method: "lora-plus", warmsUp: false, healthy: 0.000353, collapsed: nil, healthyRuns: 5, collapsedRuns: 0,
          rates: 0.0001...0.0003),
        Bound(
          method: "lora-plus", warmsUp: true, healthy: 0.000261, collapsed: 0.000728, healthyRuns: 6, collapsedRuns: 6,
          rates: 0.0001...0.01),
        Bound(
          method: "milora", warmsUp: false, healthy: 0.000598, collapsed: 0.00126, healthyRuns: 16, collapsedRuns: 5,
          rates: 0.0003...0.02),
        Bound(
          method: "milora", warmsUp: true, healthy: 0.000442, collapsed: 0.00134, healthyRuns: 11, collapsedRuns: 3,
          rates: 0.0001...0.03),
        Bound(
          method: "miss", warmsUp: false, healthy: 0.000423, collapsed: 0.00112, healthyRuns: 10, collapsedRuns: 2,
          rates: 0.0001...0.005),
        Bound(
          method: "miss", warmsUp: true, healthy: 0.000331, collapsed: 0.000767, healthyRuns: 8, collapsedRuns: 5,
          rates: 0.0003...0.01),
        Bound(
          method: "pissa", warmsUp: false, healthy: 0.00177, collapsed: 0.00279, healthyRuns: 8, collapsedRuns: 4,
          rates: 0.0003...0.01),
        Bound(
          method: "pissa", warmsUp: true, healthy: 0.000956, collapsed: 0.00159, healthyRuns: 8, collapsedRuns: 5,
          rates: 0.0001...0.03),
        Bound(
          method: "rank1", warmsUp: false, healthy: 0.000436, collapsed: 0.000739, healthyRuns: 9, collapsedRuns: 2,
          rates: 0.0003...0.03),
        Bound(
          method: "rank1", warmsUp: true, healthy: 0.000172, collapsed: nil, healthyRuns: 8, collapsedRuns: 0,
          rates: 0.0001...0.002),
        Bound(
          method: "rslora", warmsUp: false, healthy: 0.000724, collapsed: 0.00143, healthyRuns: 14, collapsedRuns: 2,
          rates: 0.0001...0.01),
        Bound(
          method: "rslora", warmsUp: true, healthy: 0.000289, collapsed: 0.000776, healthyRuns: 9, collapsedRuns: 4,
          rates: 0.0001...0.03),
        Bound(
          method: "vera", warmsUp: false, healthy: 0.000703, collapsed: 0.00555, healthyRuns: 5, collapsedRuns: 2,
          rates: 0.003...0.2),
        Bound(
          method: "vera", warmsUp: true, healthy: 0.000822, collapsed: 0.00315, healthyRuns: 6, collapsedRuns: 2,
          rates: 0.003...0.2),
      ],
    ],
    healthyRatios: [
      0.002, 0.004, 0.006, 0.007, 0.007, 0.007, 0.007, 0.008, 0.009, 0.010, 0.013, 0.014, 0.014, 0.015, 0.015, 0.015,
      0.016, 0.016, 0.017, 0.018, 0.018, 0.019, 0.019, 0.020, 0.021, 0.024, 0.025, 0.026, 0.029, 0.030, 0.030, 0.031,
      0.031, 0.031, 0.032, 0.033, 0.033, 0.033, 0.034, 0.036, 0.037, 0.037, 0.037, 0.037, 0.039, 0.040, 0.041, 0.043,
      0.043, 0.043, 0.044, 0.045, 0.046, 0.046, 0.050, 0.050, 0.051, 0.052, 0.053, 0.057, 0.059, 0.060, 0.060, 0.060,
      0.060, 0.063, 0.064, 0.065, 0.066, 0.066, 0.066, 0.068, 0.068, 0.070, 0.072, 0.072, 0.077, 0.079, 0.079, 0.082,
      0.084, 0.087, 0.089, 0.089, 0.089, 0.090, 0.091, 0.094, 0.098, 0.099, 0.099, 0.099, 0.100, 0.101, 0.102, 0.102,
      0.106, 0.107, 0.108, 0.109, 0.109, 0.111, 0.112, 0.114, 0.118, 0.121, 0.122, 0.123, 0.124, 0.126, 0.129, 0.130,
      0.131, 0.136, 0.138, 0.139, 0.143, 0.144, 0.148, 0.148, 0.150, 0.152, 0.154, 0.156, 0.158, 0.159, 0.164, 0.164,
      0.164, 0.172, 0.175, 0.179, 0.180, 0.185, 0.186, 0.192, 0.194, 0.204, 0.210, 0.213, 0.218, 0.218, 0.220, 0.222,
      0.229, 0.230, 0.238, 0.242, 0.246, 0.250, 0.254, 0.267, 0.268, 0.269, 0.271, 0.275, 0.280, 0.282, 0.282, 0.282,
      0.283, 0.283, 0.286, 0.298, 0.299, 0.299, 0.306, 0.313, 0.323, 0.325, 0.326, 0.327, 0.328, 0.330, 0.337, 0.353,
      0.355, 0.355, 0.363, 0.367, 0.369, 0.370, 0.370, 0.387, 0.395, 0.396, 0.405, 0.408, 0.424, 0.428, 0.429, 0.431,
      0.443, 0.454, 0.455, 0.460, 0.471, 0.493, 0.498, 0.500, 0.500, 0.500, 0.509, 0.536, 0.545, 0.559, 0.562, 0.577,
      0.582, 0.596, 0.604, 0.615, 0.617, 0.661, 0.720, 0.728, 0.776, 0.819,
    ],
    errors: HeldOutErrors(falseAlarms: 4, healthyRuns: 158, misses: 1, collapsedRuns: 123))
}
