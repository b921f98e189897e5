"""Where a network runs and is timed: desktop, Android, iPhone, browser, emulator; plans, jobs, pairs, estimates."""
