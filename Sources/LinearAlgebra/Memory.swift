internal import CKernels

/// How the C library keeps memory.
package enum Memory {
  /// Keeps freed memory for the next matrix, up to 128 MiB a thread.
  ///
  /// By default glibc maps every matrix beyond a fraction of a mebibyte anew, and its pages are faulted in one by one, which costs as
  /// much as the arithmetic on it. Call once, before any work.
  package static func keepFreedPages() { keep_freed_pages(32 << 20, 128 << 20) }

  /// Gives memory that is freed and kept back to the system, so that what is resident is what is in use.
  package static func returnFreedPages() { return_freed_pages() }
}
