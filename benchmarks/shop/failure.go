package shop

// The ways in which operations fail. Stack traces look as the language prints
// them; they are what makes the largest records of the shop.
var (
	cardDeclined = newFailure(9, 402, severityWarn, "shop.payment.CardDeclinedException", "Card {card} was declined by the issuer (do_not_honor) for order {order}",
		`shop.payment.CardDeclinedException: card declined: do_not_honor
	at shop.payment.gateway.PspClient.charge(PspClient.java:148)
	at shop.payment.PaymentService.charge(PaymentService.java:91)
	at shop.payment.v1.PaymentServiceGrpc$MethodHandlers.invoke(PaymentServiceGrpc.java:233)
	at io.grpc.stub.ServerCalls$UnaryServerCallHandler$UnaryServerCallListener.onHalfClose(ServerCalls.java:182)
	at io.grpc.internal.ServerImpl$JumpToApplicationThreadServerStreamListener$1HalfClosed.runInContext(ServerImpl.java:351)
	at io.grpc.internal.SerializingExecutor.run(SerializingExecutor.java:133)
	at java.base/java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:1144)
	at java.base/java.lang.Thread.run(Thread.java:1583)`)

	outOfStock = newFailure(9, 409, severityWarn, "shop.inventory.OutOfStockException", "Product {product} is out of stock: wanted {items}, {stock} available",
		`shop.inventory.OutOfStockException: not enough stock
	at shop.inventory.ReservationService.reserve(ReservationService.java:58)
	at shop.inventory.InventoryEndpoint.reserve(InventoryEndpoint.java:77)
	at io.grpc.stub.ServerCalls$UnaryServerCallHandler$UnaryServerCallListener.onHalfClose(ServerCalls.java:182)
	at java.base/java.lang.Thread.run(Thread.java:1583)`)

	adUnavailable = newFailure(14, 503, severityError, "io.grpc.StatusRuntimeException", "RESOURCE_EXHAUSTED: ad server queue is full",
		`io.grpc.StatusRuntimeException: RESOURCE_EXHAUSTED: ad server queue is full
	at shop.ad.AdService.getAds(AdService.java:189)
	at shop.ad.AdService$AdServiceImpl.getAds(AdService.java:133)
	at java.base/java.lang.Thread.run(Thread.java:1583)`)

	shippingRefused = newFailure(14, 502, severityError, "ShippingError::Carrier", "carrier refused the parcel for order {order}: 502 from api.parcels.example.net",
		`ShippingError::Carrier(502)
   0: shipping::carrier::create_shipment
             at src/carrier.rs:74:9
   1: shipping::ship::ship_order::{{closure}}
             at src/ship.rs:101:41
   2: tonic::server::grpc::Grpc<T>::unary
             at tonic/src/server/grpc.rs:219`)

	productMissing = newFailure(5, 404, severityWarn, "*status.Error", "rpc error: code = NotFound desc = no product with id {product}", "")

	databaseTimeout = newFailure(4, 504, severityError, "*pgconn.PgError", "canceling statement due to statement timeout (SQLSTATE 57014)",
		`goroutine 4127 [running]:
github.com/jackc/pgx/v5.(*Conn).Query(0xc000512000)
	/go/pkg/mod/github.com/jackc/pgx/v5@v5.7.5/conn.go:738 +0x3fe
shop/internal/catalogue.(*Server).SearchProducts(0xc0000a2180)
	/src/internal/catalogue/search.go:98 +0x1d4`)

	modelMissing = newFailure(13, 500, severityError, "KeyError", "'{product}'",
		`Traceback (most recent call last):
  File "/app/recommendation_server.py", line 88, in ListRecommendations
    prod_list = get_product_list(request.product_ids)
  File "/app/recommendation_server.py", line 131, in get_product_list
    scores = cached_model[request_product_ids[0]]
             ~~~~~~~~~~~~^^^^^^^^^^^^^^^^^^^^^^^^
KeyError`)

	outOfMemory = newFailure(14, 503, severityError, "MemoryError", "Unable to allocate 48.8 MiB for an array with shape (6400000,) and data type float64",
		`Traceback (most recent call last):
  File "/app/recommendation_server.py", line 131, in get_product_list
    scores = np.zeros(CATALOGUE_SIZE)
numpy._core._exceptions._ArrayMemoryError: Unable to allocate 48.8 MiB for an array with shape (6400000,) and data type float64`)

	checkoutBroken = newFailure(13, 500, severityError, "*errors.errorString", "failed to complete the order {order}: context canceled",
		`goroutine 918 [running]:
main.(*checkout).PlaceOrder(0xc0002d4000, {0x13b8f40, 0xc000741b60}, 0xc0003fa1e0)
	/src/main.go:388 +0xa5c
shop/genproto/checkout/v1._CheckoutService_PlaceOrder_Handler.func1
	/src/genproto/checkout/v1/checkout_grpc.pb.go:128 +0x78`)

	nilPointer = newFailure(13, 500, severityError, "runtime.errorString", "runtime error: invalid memory address or nil pointer dereference",
		`goroutine 2211 [running]:
main.(*discounts).apply(0x0, 0xc000488320)
	/src/discounts.go:64 +0x2c
main.(*checkout).prepareOrder(0xc0002d4000, {0x13b8f40, 0xc000741b60}, {0xc00091a0c0, 0x24})
	/src/main.go:451 +0x3d8
main.(*checkout).PlaceOrder(0xc0002d4000, {0x13b8f40, 0xc000741b60}, 0xc0003fa1e0)
	/src/main.go:340 +0x4f0
shop/genproto/checkout/v1._CheckoutService_PlaceOrder_Handler.func1
	/src/genproto/checkout/v1/checkout_grpc.pb.go:128 +0x78
google.golang.org/grpc.(*Server).processUnaryRPC(0xc0001f6000)
	/go/pkg/mod/google.golang.org/grpc@v1.76.0/server.go:1405 +0xeb5`)

	paymentTimeout = newFailure(4, 504, severityError, "java.sql.SQLTransientConnectionException", "HikariPool-1 - Connection is not available, request timed out after 3000ms (total=20, active=20, idle=0, waiting=37)",
		`java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available, request timed out after 3000ms
	at com.zaxxer.hikari.pool.HikariPool.createTimeoutException(HikariPool.java:686)
	at com.zaxxer.hikari.pool.HikariPool.getConnection(HikariPool.java:179)
	at shop.payment.store.TransactionStore.insert(TransactionStore.java:41)
	at shop.payment.PaymentService.charge(PaymentService.java:97)
	at java.base/java.lang.Thread.run(Thread.java:1583)`)

	diskFull = newFailure(13, 500, severityError, "org.postgresql.util.PSQLException", "ERROR: could not extend file \"base/16384/24601\": No space left on device",
		`org.postgresql.util.PSQLException: ERROR: could not extend file "base/16384/24601": No space left on device
  Hint: Check free disk space.
	at org.postgresql.core.v3.QueryExecutorImpl.receiveErrorResponse(QueryExecutorImpl.java:2733)
	at org.postgresql.core.v3.QueryExecutorImpl.execute(QueryExecutorImpl.java:372)
	at org.postgresql.jdbc.PgStatement.executeInternal(PgStatement.java:517)`)

	mailRefused = newFailure(14, 502, severityError, "Net::SMTPServerBusy", "451 4.3.2 try again later for order {order}",
		"/usr/local/bundle/gems/net-smtp-0.5.1/lib/net/smtp.rb:1054:in `check_response'\n/usr/local/bundle/gems/net-smtp-0.5.1/lib/net/smtp.rb:1022:in `getok'\n/email_server/email_server.rb:44:in `send_email'")

	noRoute = newFailure(5, 404, severityWarn, "", "", "")

	badRequest = newFailure(3, 400, severityWarn, "", "", "")

	sqlSyntax = newFailure(13, 500, severityError, "*pgconn.PgError", "ERROR: unterminated quoted string at or near \"'\" (SQLSTATE 42601)",
		`goroutine 512 [running]:
shop/internal/catalogue.(*Server).FindProduct(0xc0000a2180)
	/src/internal/catalogue/legacy.go:31 +0x11d`)
)
