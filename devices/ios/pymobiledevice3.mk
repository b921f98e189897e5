# GPL-3, so never a part of this environment: a program of its own, called as one.
APART := build/pymobiledevice3

.PHONY: pymobiledevice3
pymobiledevice3: $(APART)/.installed ## install pymobiledevice3 in an environment of its own, for an iPhone without libimobiledevice

$(APART)/.installed: devices/ios/pymobiledevice3.txt | $(CORE)
	rm -rf $(APART)
	$(RUN) -m venv $(APART)
	$(APART)/bin/python -m pip install --quiet --disable-pip-version-check --constraint $< pymobiledevice3
	@touch $@
