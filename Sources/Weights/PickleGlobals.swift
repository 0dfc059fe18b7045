/// The names that may occur in a file of tensors. They are read as marks of what the data beside them means; none is
/// looked up, let alone called.
enum PickleGlobals {
  /// torch's classes of storages, with the type of their elements.
  static let storages: [String: ElementType] = [
    "DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16",
    "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8",
    "BoolStorage": "BOOL", "ComplexFloatStorage": "C64",
  ].named("torch.")

  /// A storage of bytes; the type of the elements stands beside it.
  static let untypedStorage = "torch.storage.UntypedStorage"

  /// torch's names of element types.
  static let elementTypes: [String: ElementType] = [
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2", "float8_e4m3fnuz": "F8_E4M3FNUZ", "float8_e5m2fnuz": "F8_E5M2FNUZ",
    "float8_e8m0fnu": "F8_E8M0", "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8", "uint64": "U64",
    "uint32": "U32", "uint16": "U16", "uint8": "U8", "bool": "BOOL", "complex64": "C64",
  ].named("torch.")

  static let orderedDictionary = "collections.OrderedDict"
  static let rebuildFromType = "torch._tensor._rebuild_from_type_v2"
  static let rebuildSubclass = "torch._utils._rebuild_wrapper_subclass"
  static let rebuildTensor: Set = [
    "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3",
  ]
  static let rebuildParameter: Set = [
    "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state",
  ]

  /// The distributed tensor of FSDP 2 under the names that it had over time.
  static let distributedTensors: Set = [
    "torch.distributed.tensor.DTensor", "torch.distributed.tensor._api.DTensor",
    "torch.distributed._tensor.api.DTensor",
  ]
  /// The distributed tensor of FSDP 1.
  static let shardedTensor = "torch.distributed._shard.sharded_tensor.api.ShardedTensor"

  private static let placementModules = ["torch.distributed.tensor", "torch.distributed._tensor"]
  static let sharded = Set(placementModules.map { $0 + ".placement_types.Shard" })
  static let replicated = Set(placementModules.map { $0 + ".placement_types.Replicate" })

  /// Whether a name may occur.
  static func allows(_ name: String) -> Bool {
    storages[name] != nil || elementTypes[name] != nil || rebuildTensor.contains(name)
      || rebuildParameter.contains(name) || distributedTensors.contains(name) || sharded.contains(name)
      || replicated.contains(name) || others.contains(name)
  }

  /// `getattr` is written for the one class that Python cannot name otherwise, and allowed for that alone.
  static let getAttribute: Set = ["builtins.getattr", "__builtin__.getattr"]
  static let attribute = (owner: shardedTensor, name: "ProcessGroupState")

  private static let others = Set(
    [
      untypedStorage, orderedDictionary, rebuildFromType, rebuildSubclass, shardedTensor, "torch.Size", "torch.device",
      "torch.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer", "torch.serialization._get_layout",
      "_codecs.encode", "torch.distributed.device_mesh.DeviceMesh", "torch.distributed._mesh_layout._MeshLayout",
      "torch.distributed._mesh_layout._FlatLayout", "torch.distributed.remote_device._remote_device",
      "torch.distributed._shard.metadata.ShardMetadata",
      "torch.distributed._shard.sharding_spec.chunk_sharding_spec.ChunkShardingSpec",
    ] + getAttribute
      + placementModules.flatMap { module in
        [
          "_dtensor_spec.DTensorSpec", "_dtensor_spec.TensorMeta", "_dtensor_spec.ShardOrderEntry",
          "placement_types.DTensorSpec", "placement_types.TensorMeta",
        ].map { module + "." + $0 }
      }
      + [
        "api.ShardedTensor", "shard.Shard", "metadata.ShardedTensorMetadata", "metadata.TensorProperties",
        "metadata.MEM_FORMAT_ENCODING",
      ].map { "torch.distributed._shard.sharded_tensor." + $0 })
}

extension [String: String] {
  /// The element types that the values name, under keys with a prefix.
  fileprivate func named(_ prefix: String) -> [String: ElementType] {
    [String: ElementType](uniqueKeysWithValues: map { (prefix + $0, ElementType(rawValue: $1)) })
  }
}
