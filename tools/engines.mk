# The engines that the end-to-end test compares with the local runner: Prism and embedded Flink.
#   make -f tools/engines.mk PYTHON=.venv/bin/python DIR=.engines
# leaves DIR/prism and DIR/flink.jar, and does nothing where they are there already.
PYTHON ?= python
DIR ?= .engines
# A runner speaks the protocol of one Beam release, so Prism is built at the installed one's.
BEAM := $(shell $(PYTHON) -c 'from importlib.metadata import version; print(version("apache-beam"))')
ifeq ($(BEAM),)
$(error apache-beam is not installed for $(PYTHON); name another interpreter with PYTHON=)
endif
HERE := $(dir $(lastword $(MAKEFILE_LIST)))

engines: $(DIR)/prism $(DIR)/flink.jar

$(DIR)/beam-$(BEAM):
	mkdir -p $(DIR)
	rm -f $(DIR)/beam-*
	touch $@

# Two compilers at most: each may take a gigabyte.
$(DIR)/prism: $(DIR)/beam-$(BEAM)
	GOBIN=$(abspath $(DIR)) GOFLAGS=-p=2 go install github.com/apache/beam/sdks/v2/go/cmd/prism@v$(BEAM)
	touch $@

$(DIR)/flink.jar: $(HERE)flink/pom.xml
	mkdir -p $(DIR)
	mvn -B -q -f $< package -Dengines.target=$(abspath $(DIR))/maven
	mv $(DIR)/maven/flink.jar $@
	rm -r $(DIR)/maven

.PHONY: engines
.DELETE_ON_ERROR:
