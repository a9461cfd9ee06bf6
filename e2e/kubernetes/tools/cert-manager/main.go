// Command cert-manager-controller is cert-manager's controllers for tests: certificates out of issuers of the types "ca" and
// "selfSigned". The module of cert-manager has its controllers, but no program that runs them without those of ACME, Vault and Venafi.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	carequests "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	selfsignedrequests "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	"github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	"github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	"github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	"github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	"github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	"github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	"github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	"github.com/cert-manager/cert-manager/pkg/controller/issuers"
	// The types of issuers that there are.
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
	"k8s.io/klog/v2"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "kubeconfig file; without it, the service account of the pod")
	issuerNamespace := flag.String("cluster-resource-namespace", "cert-manager", "namespace of the Secrets of ClusterIssuers")
	namespace := flag.String("namespace", "", "the only namespace to look at; ClusterIssuers are then left alone")
	klog.InitFlags(nil)
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *kubeconfig, *issuerNamespace, *namespace); err != nil {
		klog.ErrorS(err, "cannot go on")
		klog.FlushAndExit(klog.ExitFlushTimeout, 1)
	}
	klog.Flush()
}

// run returns when ctx ends or when a controller does.
func run(ctx context.Context, kubeconfig, issuerNamespace, namespace string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	options := controller.ContextOptions{
		Kubeconfig: kubeconfig,
		Namespace:  namespace,
		// As cert-manager's own defaults, which its packages do not set.
		KubernetesAPIQPS:   20,
		KubernetesAPIBurst: 50,
		IssuerOptions:      controller.IssuerOptions{ClusterResourceNamespace: issuerNamespace},
		CertificateOptions: controller.CertificateOptions{
			CopiedAnnotationPrefixes:                 []string{"*", "-kubectl.kubernetes.io/", "-fluxcd.io/", "-argocd.argoproj.io/"},
			CertificateRequestMinimumBackoffDuration: time.Hour,
			CertificateRequestMaximumBackoffDuration: 32 * time.Hour,
		},
	}
	factory, err := controller.NewContextFactory(ctx, options)
	if err != nil {
		return err
	}
	// The informers belong to all contexts of the factory.
	shared, err := factory.Build()
	if err != nil {
		return err
	}

	names := []string{
		issuers.ControllerName,
		approver.ControllerName,
		carequests.CRControllerName,
		selfsignedrequests.CRControllerName,
		trigger.ControllerName,
		keymanager.ControllerName,
		requestmanager.ControllerName,
		issuing.ControllerName,
		readiness.ControllerName,
		revisionmanager.ControllerName,
	}
	if namespace == "" {
		names = append(names, clusterissuers.ControllerName)
	}
	// Their packages have registered them. All are made before the informers start: each asks for those it needs.
	controllers := map[string]controller.Interface{}
	for _, name := range names {
		if controllers[name], err = controller.Known()[name](factory); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())

	ended := make(chan error, len(controllers))
	var running sync.WaitGroup
	for name, one := range controllers {
		running.Go(func() {
			// With several workers, one slow certificate does not hold up the others.
			if err := one.Run(5, ctx); err != nil && ctx.Err() == nil {
				ended <- fmt.Errorf("%s: %w", name, err)
			}
			cancel()
		})
	}
	klog.InfoS("started", "controllers", len(controllers))
	running.Wait()
	close(ended)
	var all []error
	for err := range ended {
		all = append(all, err)
	}
	return errors.Join(all...)
}
