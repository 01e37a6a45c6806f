// Prints a line for each event that an informer delivers: add, update or delete, namespace, name. Prints "synced" after
// the first list. The cluster is that of KUBECONFIG.
//
// Usage: informer GROUP VERSION RESOURCE SECONDS
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: informer GROUP VERSION RESOURCE SECONDS")
	}
	lifetime, err := time.ParseDuration(os.Args[4] + "s")
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), lifetime)
	defer cancel()

	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	check(err)
	client, err := dynamic.NewForConfig(config)
	check(err)
	resource := schema.GroupVersionResource{Group: os.Args[1], Version: os.Args[2], Resource: os.Args[3]}
	factory := dynamicinformer.NewDynamicSharedInformerFactory(client, 0)
	_, err = factory.ForResource(resource).Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { report("add", object) },
		UpdateFunc: func(_, object any) { report("update", object) },
		DeleteFunc: func(object any) { report("delete", object) },
	})
	check(err)
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	fmt.Println("synced")
	<-ctx.Done()
}

func report(event string, object any) {
	if missed, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = missed.Obj
	}
	metadata, err := meta.Accessor(object)
	check(err)
	fmt.Println(event, metadata.GetNamespace(), metadata.GetName())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
