// Command registry is an image registry for tests: HTTP without TLS and passwords, images in a folder.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/sirupsen/logrus"
)

func main() {
	address := flag.String("address", "127.0.0.1:5000", "address and port to listen at")
	folder := flag.String("folder", "", "folder of the images")
	flag.Parse()
	if *folder == "" {
		log.Fatal("--folder is missing")
	}
	config := &configuration.Configuration{}
	config.Log.AccessLog.Disabled = true
	logrus.SetLevel(logrus.WarnLevel)
	config.Storage = configuration.Storage{"filesystem": configuration.Parameters{"rootdirectory": *folder}}
	config.Catalog.MaxEntries = 1000
	server := &http.Server{
		Addr:              *address,
		Handler:           handlers.NewApp(context.Background(), config),
		ReadHeaderTimeout: time.Minute,
	}
	log.Fatal(server.ListenAndServe())
}
