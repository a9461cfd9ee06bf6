// Command coredns is CoreDNS with the plug-ins that the local cluster's Corefile names (up.sh), and no others.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"
)

func main() {
	// The order in which a question passes through them.
	dnsserver.Directives = []string{"bind", "ready", "template", "kubernetes"}
	coremain.Run()
}
