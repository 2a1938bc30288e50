"""What everybody may know: how good prices were, and that every open cover can be paid."""
