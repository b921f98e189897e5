"""What the commands share: options, inputs, messages, exit codes."""
