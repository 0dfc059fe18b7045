import OrderedCollections

/// The trained tensors of an adapter as they were at one step of training.
package struct AdapterSnapshot: Equatable, Sendable {
  /// One tensor of one module.
  package struct Tensor: Equatable, Sendable {
    /// PEFT's name without a suffix, such as `lora_A` or `lora_magnitude_vector`; `weight` where the whole weight is trained.
    package var name: String
    package var shape: [Int]
    /// Row-major.
    package var values: [Float]

    package init(name: String, shape: [Int], values: [Float]) {
      self.name = name
      self.shape = shape
      self.values = values
    }
  }

  /// The module that tensors belong to which all modules share, such as VeRA's projections.
  package static let sharedModule = "base_model"

  package var step: Int
  /// By the base model's dotted path of the module, without `.weight`, in the model's order.
  package var modules: OrderedDictionary<String, [Tensor]>

  package init(step: Int, modules: OrderedDictionary<String, [Tensor]>) {
    self.step = step
    self.modules = modules
  }
}
