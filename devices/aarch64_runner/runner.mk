.PHONY: runner
runner: $(DEV) ## build what runs on a phone (AArch64) and the emulator's instruction counter
	$(RUN) -m devices.aarch64_runner.build
